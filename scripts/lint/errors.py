"""What ends a run of stublint without findings."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CannotRun(Exception):
    """The input cannot be linted; the message says why and what to do. Exit status 2."""


def near(word: str, known: Iterable[str]) -> str:
    """Return such as "; is it --table?" for a @word that is not among the @known ones."""
    matches = get_close_matches(word, list(known), 3, 0.7)
    return f"; is it {' or '.join(matches)}?" if matches else ""
