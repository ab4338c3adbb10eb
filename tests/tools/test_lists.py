"""tests/LISTS.md: what it says is here is here."""

from __future__ import annotations

import re

import pytest

from catalogue import entries
from conftest import ROOT

LISTS = ROOT / "tests" / "LISTS.md"
ROW = re.compile(r"^\|([^|]*)\|([^|]*)\|([^|]*)\|$", re.MULTILINE)
HEADS = ("Theirs", "---")
NOT_HERE = "\N{EN DASH}"


def rows() -> list[tuple[str, str, str]]:
    """Return the rows of all tables: whose idea it is, the idea, and where it is."""
    found = [tuple(cell.strip() for cell in row) for row in ROW.findall(LISTS.read_text())]
    return [row for row in found if row[0] not in HEADS]


CATALOGUE = set(entries())


def is_here(name: str) -> bool:
    """Whether @name is an entry of the catalogue, or a test."""
    file, _, function = name.partition("::")
    if not function:
        return name in CATALOGUE
    return (ROOT / file).is_file() and f"\ndef {function}(" in (ROOT / file).read_text()


def test_there_are_lists() -> None:
    assert len(rows()) > 50


@pytest.mark.parametrize("theirs, idea, where", rows())
def test_an_idea_is_here_or_does_not_apply(theirs: str, idea: str, where: str) -> None:
    assert idea
    names = re.findall(r"`([^`]*)`", where)
    assert bool(names) != where.startswith(NOT_HERE)
    assert [name for name in names if not is_here(name)] == []
