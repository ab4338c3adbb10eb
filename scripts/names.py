"""Near matches for a name that is not known, in one wording for all commands."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterable

COLUMNS = 80
NO_BREAK = "\N{NO-BREAK SPACE}"  # at which textwrap does not break a line
NEAR = 4  # names that are shown


def fold(text: str, columns: int = COLUMNS) -> str:
    """Return @text in lines of @columns at most; a single word, or `several`, may be longer."""
    whole = re.sub("`[^`]*`", lambda match: match[0].replace(" ", NO_BREAK), text)
    lines = textwrap.fill(
        whole, columns, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return lines.replace(NO_BREAK, " ")


def near(word: str, names: Iterable[str]) -> list[str]:
    """Return those of @names that are close to @word: what contains it, else what is spelt alike."""
    known = {name.casefold(): name for name in names}
    word = word.casefold()
    found = [name for name in known if len(word) > 1 and word in name]
    found.sort(key=lambda name: (name.index(word), len(name)))
    found += difflib.get_close_matches(word, known)
    return [known[name] for name in dict.fromkeys(found)][:NEAR]


def did_you_mean(word: str, names: Iterable[str], otherwise: str = "") -> str:
    """Return " Did you mean a, b?", or @otherwise if there is nothing near."""
    found = near(word, names)
    return f" Did you mean {', '.join(found)}?" if found else otherwise


def unknown(kind: str, word: str, names: Iterable[str], otherwise: str) -> str:
    """Say that there is no @kind called @word, and what is near; else @otherwise, where to look."""
    return f'There is no {kind} "{word}".{did_you_mean(word, names, f" {otherwise}")}'
