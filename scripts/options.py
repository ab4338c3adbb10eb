"""Types of options, with messages in the words of make."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def number(name: str, low: int, high: int) -> Callable[[str], int]:
    """Return the type of the option that make calls @name: a number from @low to @high."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(
                f"{name} is a number from {low} to {high}, not {text!r}"
            )
        return int(text)

    return parse
