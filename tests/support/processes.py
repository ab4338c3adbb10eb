"""Processes that somebody else has started."""

from __future__ import annotations

import os
import select
from pathlib import Path


def children(parent: int) -> list[int]:
    """Return the processes that @parent has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[1]) == parent:
            found.append(int(entry.parent.name))
    return found


def has_ended(pid: int, timeout: float) -> bool:
    """Wait until @pid has ended, for @timeout seconds at most; return whether it has."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], timeout)[0])
    finally:
        os.close(process)
