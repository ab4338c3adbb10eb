"""Mistakes that nobody thought of: every instruction of the stubs and of the entry path deleted,
doubled, or swapped with the next one, and every constant in one changed, one at a time."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from museum.bugs import ROOT

SOURCES = ("asm/stubs.asm", "asm/entry.asm")
EQUIVALENTS = ROOT / "tests" / "equivalents.toml"

# Lines at the instructions' column that assemble to none; a file's own macros are more of them.
DIRECTIVE = re.compile(r"(?:section|align|extern|global|default|cf[ai]_\w+)\b")
MACRO = re.compile(r"^%macro (\w+)", re.MULTILINE)
INSTRUCTION = re.compile(r"^ {8}([a-z].*?)\s*(?:;.*)?$")

# Numbers, names of constants, and a macro's parameters.
CONSTANT = re.compile(r"(?<![\w%.])-?(?:0x[0-9A-Fa-f]+|\d+)\b|\b[A-Z][A-Z0-9_]{2,}\b|%\d")
CHANGES = ("{} + 1", "{} - 1", "0")
CHANGE_NAMES = ("with {} + 1", "with {} - 1", "with 0 for {}")


@dataclass(frozen=True)
class Mutant:
    """One change of one source."""

    name: str
    source: str
    text: str  # all of the source with the change


def _instructions(text: str) -> list[tuple[int, str]]:
    """The numbers of the lines that hold an instruction, and the instruction."""
    macros = set(MACRO.findall(text))
    found = []
    for number, line in enumerate(text.splitlines()):
        match = INSTRUCTION.match(line)
        if match and not DIRECTIVE.match(match[1]) and match[1].split()[0] not in macros:
            found.append((number, " ".join(match[1].split())))
    return found


def _join(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _of_constants(line: str, instruction: str) -> Iterator[tuple[str, str]]:
    """The changes of each constant in @line: a name, and the line with it."""
    code = line.partition(";")[0]
    for match in CONSTANT.finditer(code):
        for change, name in zip(CHANGES, CHANGE_NAMES):
            value = change.format(match[0])
            if value != match[0]:
                changed = f"{code[: match.start()]}({value}){code[match.end() :]}".rstrip()
                yield f"{instruction} {name.format(match[0])}", changed


def _of_source(source: str, text: str) -> Iterator[Mutant]:
    lines = text.splitlines()
    instructions = _instructions(text)
    file = Path(source).name

    def mutant(what: str, changed: list[str]) -> Mutant:
        return Mutant(f"{file}: {what}", source, _join(changed))

    for number, instruction in instructions:
        rest = lines[number + 1 :]
        yield mutant(f"delete {instruction}", lines[:number] + rest)
        yield mutant(f"double {instruction}", lines[: number + 1] + lines[number:])
        for name, changed in _of_constants(lines[number], instruction):
            yield mutant(name, [*lines[:number], changed, *rest])
    for (a, first), (b, second) in zip(instructions, instructions[1:]):
        swapped = lines[:]
        swapped[a], swapped[b] = lines[b], lines[a]
        yield mutant(f"swap {first} / {second}", swapped)


def mutants() -> list[Mutant]:
    """Return all of them; their names are unique."""
    found: dict[str, Mutant] = {}
    for source in SOURCES:
        for mutant in _of_source(source, (ROOT / source).read_text()):
            # The same instruction may be there twice.
            name, number = mutant.name, 2
            while name in found:
                name, number = f"{mutant.name} ({number})", number + 1
            found[name] = Mutant(name, mutant.source, mutant.text)
    return list(found.values())


def equivalents() -> dict[str, str]:
    """Return the mutants that are proven to be right, too, with the reason."""
    groups = tomllib.loads(EQUIVALENTS.read_text())["equivalent"]
    return {name: group["reason"] for group in groups for name in group["mutants"]}
