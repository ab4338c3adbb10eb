"""The names that C++ and Rust compilers make of identifiers: read just as far as people need or,
with every detail, by binutils' c++filt or LLVM's where one is installed."""

from __future__ import annotations

import re
import shutil
import subprocess

MANGLED = re.compile(r"^_(?:ZN?|R)(?=[A-Z0-9])")
ITANIUM = re.compile(r"^_Z(N?)(?:[KVrRO]*)(?:St)?L?(?=\d)")
LENGTH = re.compile(r"L?(\d+)")
RUST_LENGTH = re.compile(r"\d+")
RUST_HASH = re.compile(r"h[0-9a-f]{16}")
RUST_HASHES = re.compile(r"::h[0-9a-f]{16}$|\[[0-9a-f]{1,16}\]")
CRATE_HASH = re.compile(r"Cs[0-9a-zA-Z]+_")
PARAMETERS = re.compile(r"\(.*\)(?: const)?$")
FILTERS = ("c++filt", "llvm-cxxfilt", "x86_64-linux-gnu-c++filt")


def is_mangled(name: str) -> bool:
    """Whether @name is a compiler's."""
    return MANGLED.match(name) is not None


def identifiers(name: str) -> list[str]:
    """Return the identifiers in a mangled @name without Rust's hashes; else @name itself."""
    if not is_mangled(name):
        return [name]
    parts = _rust(name) if name.startswith("_R") else _itanium(name)
    return [part for part in parts if not RUST_HASH.fullmatch(part)] or [name]


def _itanium(name: str) -> list[str]:
    """Return what the name in @name consists of: one identifier or, nested, several. The types of
    parameters follow, and are none of it."""
    start = ITANIUM.match(name)
    parts, at = [], start.end() if start else len(name)
    while number := LENGTH.match(name, at):
        at = number.end() + int(number[1])
        parts.append(name[number.end() : at])
        if not start[1]:
            break
    return [part if not part.startswith("_GLOBAL__N_") else "(anonymous namespace)"
            for part in parts]  # fmt: skip


def _rust(name: str) -> list[str]:
    rest = CRATE_HASH.sub("", name[2:])
    parts, at = [], 0
    while number := RUST_LENGTH.search(rest, at):
        at = number.end() + int(number[0])
        part = rest[number.end() : at].removeprefix("_")
        if not part:
            break
        parts.append(part)
    return parts


def readable(name: str) -> str:
    """Return a mangled @name as such as kernel::interrupts::page_fault, any other unchanged."""
    return "::".join(identifiers(name))


def demangled(names: list[str]) -> dict[str, str]:
    """Return the mangled ones among @names in full, but without parameters and Rust's hashes."""
    mangled = [name for name in names if is_mangled(name)]
    tool = next((path for name in FILTERS if (path := shutil.which(name))), None)
    if not mangled or tool is None:
        return {name: readable(name) for name in mangled}
    done = subprocess.run([tool], input="\n".join(mangled), capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != len(mangled):
        return {name: readable(name) for name in mangled}
    return {name: RUST_HASHES.sub("", PARAMETERS.sub("", line))
            for name, line in zip(mangled, lines)}  # fmt: skip
