"""What this copy of Barestub calls itself, for the banner, each tool's --version and a release: the
number of the release, and the commit where it is known.

Each `make` starts this file: what it imports only where it is needed would be most of its time."""

from __future__ import annotations

import functools
import os

NUMBER = "1.0"
# `git archive` writes the commit here: .gitattributes says so.
ARCHIVED = "$Format:%h$"
ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def commit() -> str | None:
    """Return the commit, with "+" behind it if files differ from it; None, if nobody knows."""
    if not ARCHIVED.startswith("$"):
        return ARCHIVED
    # A copy may lie inside somebody else's clone, our own build/ among them.
    if not os.path.exists(os.path.join(ROOT, ".git")):
        return None

    import subprocess

    words = ["describe", "--always", "--exclude=*", "--abbrev=7", "--dirty=+"]
    try:
        result = subprocess.run(
            ["git", "-C", ROOT, *words], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()


@functools.cache
def version() -> str:
    """Return the version, such as "1.0 (4e29c32)"; "+" says that files differ from the commit."""
    known = commit()
    return f"{NUMBER} ({known})" if known else NUMBER


if __name__ == "__main__":
    print(version())
