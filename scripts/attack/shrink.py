"""A program that does harm, made as short as it can be."""

from __future__ import annotations

from collections.abc import Callable

NOP = 0x90


def shrink(code: bytes, still: Callable[[bytes], bool]) -> bytes:
    """Return the shortest code found that @still does what @code does: without pieces of it, large
    ones first, then with NOPs in the place of bytes. Zeller, Hildebrandt: Simplifying and Isolating
    Failure-Inducing Input, 2002."""
    size = len(code) // 2
    while size > 0:
        at = 0
        while at < len(code):
            shorter = code[:at] + code[at + size :]
            if shorter and still(shorter):
                code = shorter
            else:
                at += size
        size //= 2
    for at, byte in enumerate(code):
        plainer = code[:at] + bytes([NOP]) + code[at + 1 :]
        if byte != NOP and still(plainer):
            code = plainer
    return code
