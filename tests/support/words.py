"""Traps in a few words, as tables show them."""

from __future__ import annotations

from itertools import groupby

from lists import EXCEPTIONS, MNEMONICS
from trapline import Fields

SHOWN_TRAPS = 4


def trap(fields: Fields) -> str:
    """Return "#PF(0x2)", "#DB" for a trap without a code, "vector 96" for one without a name, and
    "#PF(0x2 or 0x0)" where either is due."""
    vector = fields["vector"]
    name = MNEMONICS.get(vector, f"vector {vector}")
    mark = "#" if vector in MNEMONICS and vector < EXCEPTIONS else ""
    code = fields.get("error", "none")
    codes = [f"{value:#x}" for value in (code, fields.get("or_error")) if isinstance(value, int)]
    return mark + name + (f"({' or '.join(codes)})" if codes else "")


def expectation(fields: Fields) -> str:
    """Return what is expected of a trap: "#PF(0x2), CR2 0x602000"."""
    if "undelivered" in fields:
        return f"{trap(fields)} in vain"
    registers = [r for r in ("cr2", "dr6") if isinstance(fields.get(r), int)]
    return ", ".join([trap(fields), *(f"{r.upper()} {fields[r]:#x}" for r in registers)])


def sequence(traps: list[str]) -> str:
    """Say in one cell what comes, however many traps there are."""
    runs = [(words, len(list(same))) for words, same in groupby(traps)]
    said = [f"{count} times {words}" if count > 1 else words for words, count in runs]
    if len(said) > SHOWN_TRAPS:
        said = [*said[: SHOWN_TRAPS - 1], f"{len(said) - SHOWN_TRAPS + 1} more"]
    return "; then ".join(said) or "no trap"
