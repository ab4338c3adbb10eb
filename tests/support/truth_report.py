"""A report on one case on one machine, as an emulator's bug tracker can take it."""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path

import deviations
import words
from catalogue import ROOT, Entry
from emulator import bochs, kvm, qemu
from lists import EXCEPTIONS, TITLES
from measure import RIGHT, Result, Target

COMMENT = re.compile(r"^ *; ?(.*)$", re.MULTILINE)
NEXT = re.compile(r"(\n\n(?:[;%].*\n)+)+$")  # comments and %assign, about what follows

MACRO = re.compile(r"^(?:;[^\n]*\n)*%macro +(?P<name>\w+).*?^%endmacro", re.MULTILINE | re.DOTALL)

CODE_VECTORS = {10, 11, 12, 13}  # their code names a selector or a gate

TEMPLATE = """\
# {title}

Seen with {machine}.

## What the manuals say

{manuals}

Due: {due}.

## What came

{came}

```
{answer}
```

## How to see it

{command}

The image is a Multiboot2 kernel behind GRUB, which raises the case by itself and prints the above
on COM1. The case as it is written ({file}; {words} says what the words mean):

```nasm
{source}
```
"""


def report(entry: Entry, result: Result, target: Target, emulator: str, iso: str) -> str:
    """Return the report; @iso is an image that raises the case by itself."""
    due = words.sequence([words.expectation(trap) for trap in result.expected])
    came = result.text if result.verdict != RIGHT else "What is due."
    return TEMPLATE.format(
        title=f"{entry.summary[0].upper()}{entry.summary[1:]} (ring {entry.ring}): "
        + (f"{result.text}, due is {due}" if result.verdict != RIGHT else "right"),
        machine=target.name,
        manuals="\n".join(f"- {line}" for line in manuals(entry, result)),
        due=due,
        came=came,
        answer=result.answer.strip() or result.text,
        command=_command(emulator, iso),
        file=entry.file.relative_to(ROOT) if entry.file.is_relative_to(ROOT) else entry.file,
        words="tests/faults/fault.inc",
        source="\n\n".join([*macros(entry), source(entry)]),
    )


def manuals(entry: Entry, result: Result) -> list[str]:
    """Say where the manuals decide what is due, where they describe it, and what the case's own file
    says of it."""
    vectors = list(dict.fromkeys(trap["vector"] for trap in result.expected))
    rows = [row for row in deviations.load() if row.case == entry.name]
    lines = list(dict.fromkeys(row.manual for row in rows))
    for vector in (v for v in vectors if v < EXCEPTIONS):
        name = words.trap({"vector": vector})
        title = TITLES.get(name, name)
        lines.append(f'SDM vol. 3, 6.15, "Interrupt {vector}", and APM vol. 2, 8.2: {title}')
    if CODE_VECTORS & set(vectors):
        lines.append("SDM vol. 3, 6.13, and APM vol. 2, 8.4: the error code, with EXT, IDT and TI")
    lines += remarks(entry)
    return lines or ["SDM vol. 3, chapter 6, and APM vol. 2, chapter 8: no trap is described"]


def remarks(entry: Entry) -> list[str]:
    """Return the comments that belong to @entry: its file's first, its macros', that above it, and
    those in it."""
    text = entry.file.read_text()
    before = text[: text.index(entry.text)]
    head = before[: before.index("%include")] if "%include" in before else ""
    above = before.rsplit("\n\n", 1)[-1] if before.rstrip(" ").endswith("\n") else ""
    is_about_it = COMMENT.match(above) and above not in head
    said = [head, *macros(entry), above if is_about_it else "", source(entry)]
    return [joined for part in said if (joined := " ".join(COMMENT.findall(part)).strip())]


def macros(entry: Entry) -> list[str]:
    """Return the macros of its file that @entry uses."""
    found = MACRO.finditer(entry.file.read_text())
    return [m[0] for m in found if re.search(rf"\b{m['name']}\b", source(entry))]


def source(entry: Entry) -> str:
    """Return the lines of @entry, without what stands above the next one."""
    return NEXT.sub("\n", entry.text).rstrip()


def _command(emulator: str, iso: str) -> str:
    name = Path(iso).name
    if emulator == "bochs":
        return f"`bochs -q -f bochsrc`, with this bochsrc:\n\n```\n{_bochsrc(name)}```"
    uses_kvm = emulator == "kvm"
    with tempfile.TemporaryDirectory() as directory:
        cpu = kvm.CPU if uses_kvm else qemu.CPU
        command = qemu.qemu_command(name, False, directory, cpu, uses_kvm)
    command = [Path(command[0]).name, *command[1:], "-display", "none", "-serial", "stdio"]
    return f"```\n{shlex.join(command)}\n```"


def _bochsrc(iso: str) -> str:
    """Return the configuration for a person: COM1 is a file."""
    with tempfile.TemporaryDirectory() as directory:
        bochs.bochs_command(iso, directory, "com1.txt", bochs.FAST)
        text = Path(directory, "bochsrc").read_text()
    text = re.sub(r'path="[^"]*"', f'path="{iso}"', text)
    text = text.replace("mode=term", "mode=file").replace(f"{directory}/", "")
    return text
