"""How many CPUs a machine is to have: an option of the commands that start one."""

from __future__ import annotations

import argparse

from manuals import CONSTANTS

LIMIT = CONSTANTS["CPU_LIMIT"]


def _cpus(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LIMIT:
        raise argparse.ArgumentTypeError(f"CPUS is a number from 1 to {LIMIT}, not {text!r}")
    return int(text)


def add_cpus(parser: argparse.ArgumentParser) -> None:
    """Add --cpus to @parser."""
    parser.add_argument(
        "--cpus", type=_cpus, default=1, metavar="N", help=f"how many CPUs, up to {LIMIT}"
    )
