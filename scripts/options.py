"""Options of the scripts. What they refuse is told in the words of make, which is how most people
call us, and without a script's usage."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn

from names import fold
from version import version


def refuse(why: str) -> NoReturn:
    """End with a message on what is wrong with the options."""
    raise SystemExit(fold(f"barestub: {why}"))


def number(name: str, low: int, high: int) -> Callable[[str], int]:
    """Return the type of the option that make calls @name: a number from @low to @high."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or not low <= int(text) <= high:
            refuse(f'{name} is a number from {low} to {high}, not "{text}".')
        return int(text)

    return parse


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
