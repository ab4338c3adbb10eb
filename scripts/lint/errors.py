"""What ends a run of stublint without findings."""

from __future__ import annotations


class CannotRun(Exception):
    """The input cannot be linted; the message says why and what to do. Exit status 2."""
