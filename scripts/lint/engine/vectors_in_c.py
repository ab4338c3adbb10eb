"""Whether the kernel's C code changes XMM and YMM registers behind a stub that does not save
them."""

from __future__ import annotations

import re

import capstone

from lint.engine.callee import Judge
from lint.engine.trace import Call
from lint.load.image import Image

VECTOR_CHANGED = re.compile(r"[xyz]mm\d")  # the first operand: no store
LARGEST_TEXT = 8 << 20  # bytes of code that are searched through


class VectorUse:
    """Answers from the calls that a stub makes, or else from the whole image."""

    def __init__(self, image: Image, judge: Judge) -> None:
        self._image = image
        self._judge = judge
        self._searched = False
        self._somewhere: int | None = None

    def explain(self, calls: list[Call]) -> tuple[str | None, str]:
        """Return the severity of calling @calls with XMM unsaved (None if that is right), and
        why."""
        complete, known = True, True
        for call in calls:
            user, followed = self._judge.vector_user(call.callee.address)
            if user is not None:
                return "ERROR", (
                    f"{call.callee.name} can reach {self._image.describe(user)}, which uses them"
                )
            complete = complete and followed
            known = known and call.callee.address not in self._image.externs
        if complete:
            return None, ""
        if not known:
            return "INFO", "right if all of C is compiled with -mgeneral-regs-only"
        user = self._search()
        if user is not None:
            return "LATENT", (
                "C calls through pointers, and the kernel has code that uses them, such as"
                f" {self._image.describe(user)}"
            )
        return None, ""

    def _search(self) -> int | None:
        """Return the address of an instruction in any function that changes a vector register."""
        if not self._searched:
            self._searched = True
            self._somewhere = self._find()
        return self._somewhere

    def _find(self) -> int | None:
        decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        left = LARGEST_TEXT
        for symbol in self._image.symbols:
            if not symbol.is_function or not symbol.size:
                continue
            data = self._image.read(symbol.address, symbol.size)
            if not data or not self._image.is_code(symbol.address):
                continue
            left -= len(data)
            if left < 0:
                break
            # No such instruction does without the escape byte 0F or a VEX or EVEX prefix.
            if not re.search(rb"\x0f[\x10-\x17\x28-\x2f\x50-\x7f\xc2-\xc6\xd0-\xff]|[\xc4\xc5\x62]",
                             data):  # fmt: skip
                continue
            for address, _, _, operands in decoder.disasm_lite(data, symbol.address):
                if VECTOR_CHANGED.match(operands):
                    return address
        return None
