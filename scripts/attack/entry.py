"""A program that does harm, as an entry of the catalogue."""

from __future__ import annotations

import re

REGISTER = re.compile(r"\b(R[A-Z0-9]{1,2}) *=([0-9a-f]{16})")
NAMED = re.compile(r"^(CS|RFLAGS|RSP) +0x([0-9a-f]+)", re.MULTILINE)

KINDS = re.compile(r"^has +(.*(?:\n +.*)*)", re.MULTILINE)

END = re.compile(r"ends with|KERNEL PANIC")

TEXT = """\
; Found by `make hostile`, seed {seed}, program {number}: {failure}.
; It started with CS {CS:#x}, and had what a routine for `prepare` may have to make here:
; {kinds}
; Write what the manuals say of its trap into the last line.
%include "fault.inc"

fault   3, "hostile-{seed}-{number}", "found by the fuzzer of ring 3"
        push    {RFLAGS:#x}
        popfq
{registers}
.here:  db      {code}
expect  GP, anywhere, abandon
"""


def entry(seed: int, number: int, code: bytes, failure: str, text: str) -> str:
    """Return the file for @code, which ends in @failure; in @text the kernel says what it starts
    with."""
    start = END.split(text[text.index("starts with") :])[0]
    named = {name: int(value, 16) for name, value in NAMED.findall(start)}
    values = {name.lower(): int(value, 16) for name, value in REGISTER.findall(start)}
    values["rsp"] = named["RSP"]
    lines = [f"        mov     {name}, {value:#x}" for name, value in values.items()]
    listed = ", ".join(f"{byte:#04x}" for byte in code)
    kinds = re.sub(r"\n +", "\n; ", KINDS.search(text)[1])
    return TEXT.format(seed=seed, number=number, failure=failure, code=listed, kinds=kinds,
                       registers="\n".join(lines), **named)  # fmt: skip
