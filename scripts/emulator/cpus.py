"""How many CPUs a machine is to have: an option of the commands that start one."""

from __future__ import annotations

import argparse

from manuals import CONSTANTS
from options import number

LIMIT = CONSTANTS["CPU_LIMIT"]


def add_cpus(parser: argparse.ArgumentParser) -> None:
    """Add --cpus to @parser."""
    parser.add_argument("--cpus", type=number("CPUS", 1, LIMIT), default=1, metavar="N",
                        help=f"how many CPUs, up to {LIMIT}")  # fmt: skip
