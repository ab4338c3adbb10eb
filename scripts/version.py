"""What this copy of Barestub calls itself, for the banner, each tool's --version and a release: the
number of the release, and the commit where it is known."""

from __future__ import annotations

import argparse
import functools
import subprocess
from pathlib import Path

NUMBER = "1.0"
# `git archive` writes the commit here: .gitattributes says so.
ARCHIVED = "$Format:%h$"
ROOT = Path(__file__).resolve().parent.parent


def git(*words: str) -> str | None:
    """Return what git says about the clone that this file is in; None, if it is in none."""
    try:
        result = subprocess.run(
            ["git", "-C", ROOT, *words], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()


def commit() -> str | None:
    """Return the commit, with "+" behind it if files differ from it; None, if nobody knows."""
    if not ARCHIVED.startswith("$"):
        return ARCHIVED
    # A copy may lie inside somebody else's clone, our own build/ among them.
    if git("rev-parse", "--show-prefix") != "":
        return None
    head = git("rev-parse", "--short=7", "HEAD")
    return head and head + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")


@functools.cache
def version() -> str:
    """Return the version, such as "1.0 (4e29c32)"; "+" says that files differ from the commit."""
    known = commit()
    return f"{NUMBER} ({known})" if known else NUMBER


class ShowVersion(argparse.Action):
    """Print the version and end: git is asked only now."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print("barestub", version())
        parser.exit()


def add_version(parser: argparse.ArgumentParser) -> None:
    """Give @parser the option --version."""
    parser.add_argument(
        "--version", action=ShowVersion, nargs=0, help="print the version and the commit"
    )


if __name__ == "__main__":
    print(version())
