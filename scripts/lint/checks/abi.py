"""Which registers a system call may change. A FILE for --abi names them, by their 64-bit names in
lower case, separated by blanks or in lines; `#` begins a comment. RAX, the result, need not be
named. The file holds for INT n as well. For example, a kernel that destroys its arguments:

    rcx r11         # by SYSCALL itself
    rdi rsi rdx     # arguments
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lint.architecture import CALLER_SAVED, GENERAL
from lint.errors import CannotRun

RESULT = "rax"


@dataclass(frozen=True)
class Abi:
    """The registers that need not come back."""

    name: str
    changed: frozenset[str]
    by_int: frozenset[str] = frozenset()  # besides RAX, where INT n makes the call


KNOWN = {
    "c": Abi("that of a C function", frozenset(CALLER_SAVED)),
    "linux": Abi("Linux's", frozenset({RESULT, "rcx", "r11"})),
}


def load(name: str) -> Abi:
    """Return the ABI of this name, or that of the file of this name."""
    return KNOWN[name] if name in KNOWN else _from_file(name)


def _from_file(path: str) -> Abi:
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise CannotRun(f"--abi {path}: {why}; it is c, linux, or a file of names") from None
    names = [name for line in lines for name in line.split("#", 1)[0].split()]
    for name in names:
        if name not in GENERAL:
            raise CannotRun(f"--abi {path}: {name} is none of {', '.join(GENERAL)}")
    return Abi(f"that of {path}", frozenset([RESULT, *names]), frozenset(names))
