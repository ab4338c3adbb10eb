"""The names that C++ and Rust compilers make of identifiers, read just as far as people need."""

from __future__ import annotations

import re

MANGLED = re.compile(r"^_(?:ZN?|R)(?=[A-Z0-9])")
LENGTH = re.compile(r"\d+")
RUST_HASH = re.compile(r"h[0-9a-f]{16}")
CRATE_HASH = re.compile(r"Cs[0-9a-zA-Z]+_")


def is_mangled(name: str) -> bool:
    """Whether @name is a compiler's."""
    return MANGLED.match(name) is not None


def identifiers(name: str) -> list[str]:
    """Return the identifiers in a mangled @name without Rust's hashes; else @name itself."""
    if not is_mangled(name):
        return [name]
    rest = CRATE_HASH.sub("", MANGLED.sub("", name)) if name.startswith("_R") else name
    parts, at = [], 0
    while number := LENGTH.search(rest, at):
        start, length = number.end(), int(number[0])
        part = rest[start : start + length]
        if len(part) < length or not length:
            break
        parts.append(part)
        at = start + length
    return [part for part in parts if not RUST_HASH.fullmatch(part)] or [name]


def readable(name: str) -> str:
    """Return a mangled @name as such as kernel::interrupts::page_fault, any other unchanged."""
    return "::".join(identifiers(name))
