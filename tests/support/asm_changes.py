"""What a mutant of assembly changes: each instruction is deleted, doubled, or swapped with the next
one, and every constant in one is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Lines at the instructions' column that assemble to none; a file's own macros are more of them.
DIRECTIVE = re.compile(r"(?:section|align|extern|global|default|cf[ai]_\w+)\b")
MACRO = re.compile(r"^%macro (\w+)", re.MULTILINE)
INSTRUCTION = re.compile(r"^ {8}([a-z].*?)\s*(?:;.*)?$")

# Numbers, names of constants, and a macro's parameters.
CONSTANT = re.compile(r"(?<![\w%.])-?(?:0x[0-9A-Fa-f]+|\d+)\b|\b[A-Z][A-Z0-9_]{2,}\b|%\d")
CHANGES = ("{} + 1", "{} - 1", "0")
CHANGE_NAMES = ("with {} + 1", "with {} - 1", "with 0 for {}")

Change = tuple[str, list[str]]  # what it does, and all lines with it


def _instructions(text: str) -> list[tuple[int, str]]:
    """The numbers of the lines that hold an instruction, and the instruction."""
    macros = set(MACRO.findall(text))
    found = []
    for number, line in enumerate(text.splitlines()):
        match = INSTRUCTION.match(line)
        if match and not DIRECTIVE.match(match[1]) and match[1].split()[0] not in macros:
            found.append((number, " ".join(match[1].split())))
    return found


def _of_constants(line: str, instruction: str) -> Iterator[tuple[str, str]]:
    """The changes of each constant in @line: a name, and the line with it."""
    code = line.partition(";")[0]
    for match in CONSTANT.finditer(code):
        for change, name in zip(CHANGES, CHANGE_NAMES):
            value = change.format(match[0])
            if value != match[0]:
                changed = f"{code[: match.start()]}({value}){code[match.end() :]}".rstrip()
                yield f"{instruction} {name.format(match[0])}", changed


def changes(text: str) -> Iterator[Change]:
    """Yield the changes of a source."""
    lines = text.splitlines()
    instructions = _instructions(text)
    for number, instruction in instructions:
        rest = lines[number + 1 :]
        yield f"delete {instruction}", lines[:number] + rest
        yield f"double {instruction}", lines[: number + 1] + lines[number:]
        for name, changed in _of_constants(lines[number], instruction):
            yield name, [*lines[:number], changed, *rest]
    for (a, first), (b, second) in zip(instructions, instructions[1:]):
        swapped = lines[:]
        swapped[a], swapped[b] = lines[b], lines[a]
        yield f"swap {first} / {second}", swapped
