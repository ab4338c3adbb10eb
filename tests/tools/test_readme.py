"""What the READMEs name is there: files, catalogue entries, bugs, rules of the lint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import catalogue
from conftest import ROOT
from lint.checks.rules import RULES
from museum.bugs import bugs

READMES = sorted(path for path in ROOT.rglob("README.md") if "build" not in path.parts)
README = (ROOT / "README.md").read_text()
LINK = re.compile(r"\]\(([^)#]*)(?:#([\w-]*))?\)")


def anchors(markdown: Path) -> set[str]:
    """What a link behind # may name."""
    headings = re.findall(r"^#+ (.*)$", markdown.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(readme: Path) -> None:
    for target, anchor in LINK.findall(readme.read_text()):
        if target.startswith("http"):
            continue
        file = readme.parent / target if target else readme
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


def test_what_is_raised_is_in_the_catalogue() -> None:
    named = set(re.findall(r"(?:raise|panic|FAULT=|WALK=) ?([a-z]{2,}-[a-z0-9-]+)", README))
    assert named and named - {"ud-mine"} <= set(catalogue.entries())


def test_what_is_broken_is_in_the_museum() -> None:
    named = set(re.findall(r"BUG=([a-z0-9-]+)", README))
    assert named and named <= {bug.name for bug in bugs()}


def test_the_rules_of_the_table_are_those_of_the_lint() -> None:
    rows = [row.split("|") for row in README.splitlines() if re.match(r"\|.*BUG=", row)]
    named = {rule for row in rows for rule in re.findall(r"`([a-z0-9-]+)`", row[5])}
    assert named and named <= set(RULES)
