"""The painter of what people see: the instructions around a spot, and the stack at that moment."""

from __future__ import annotations

from lint.architecture import VECTOR_COUNT
from lint.checks.finding import Finding
from lint.engine.disasm import Decoder
from lint.engine.trace import Moment, Trace
from lint.engine.values import STACK_BASE, STACK_SIZE
from lint.load.image import Image

BEFORE, AFTER = 5, 2  # instructions shown before and after the spot
MOST_SLOTS = 30


class Painter:
    """Paints for one image."""

    def __init__(self, image: Image, decoder: Decoder) -> None:
        self._image = image
        self._decoder = decoder

    def place(self, address: int) -> str:
        """Return @address in words, with its source line if the image knows it."""
        line = self._image.debug.line(address) if self._image.debug else None
        return self._image.describe(address) + (f" ({line})" if line else "")

    def code(self, finding: Finding) -> list[str]:
        """Return the instructions on the way to the spot, it, and those that follow."""
        if finding.pc is None:
            return []
        addresses = self._way(finding)
        following = self._decoder.at(finding.pc)
        after = []
        while following is not None and len(after) < AFTER:
            after.append(following.end)
            following = self._decoder.at(following.end)
        lines, width = [], len(f"{max(addresses + [finding.pc]):x}")
        for address in addresses + [finding.pc] + after:
            instruction = self._decoder.at(address)
            text = instruction.text if instruction else "(no instruction)"
            mark = ">>" if address == finding.pc and len(lines) == len(addresses) else "  "
            target = self._target(instruction)
            lines.append(f"{mark} {address:{width}x}  {text:<40}{target}".rstrip())
        return lines

    def _way(self, finding: Finding) -> list[int]:
        if finding.trace is None or finding.moment is None:
            return []
        path = finding.trace.path[: finding.moment.position]
        if path and path[-1] == finding.pc:
            path = path[:-1]
        return path[-BEFORE:]

    def _target(self, instruction: object) -> str:
        if instruction is None or not instruction.mnemonic.startswith(("j", "call")):
            return ""
        target = self._decoder.target(instruction)
        return f"; {self._image.describe(target)}" if target is not None else ""

    def stack(self, finding: Finding) -> list[str]:
        """Return the stack from the frame's top down to RSP, highest address first."""
        moment, trace = finding.moment, finding.trace
        if moment is None or trace is None or not moment.stack:
            return []
        lowest = moment.rsp
        if not STACK_BASE <= lowest < STACK_BASE + STACK_SIZE:
            if lowest == trace.values.rsp:
                return ["RSP is the user's"]
            return [f"RSP is {lowest:#x}, outside of the stack of the trap"]
        top = max(trace.values.top, lowest + 8)
        addresses = list(range(top - 8, lowest - 1, -8)) if lowest % 8 == 0 else []
        lines = []
        for index, address in enumerate(addresses):
            if MOST_SLOTS // 2 <= index < len(addresses) - MOST_SLOTS // 2:
                if index == MOST_SLOTS // 2:
                    lines.append("     ...")
                continue
            mark = "  <- RSP" if address == lowest else ""
            lines.append(f"{address - lowest:+#6x}  {self._slot(moment, trace, address)}{mark}")
        return lines

    def _slot(self, moment: Moment, trace: Trace, address: int) -> str:
        value = moment.word(address)
        offset = address - trace.frame_address
        names, frame = trace.values.names, trace.values.frame
        if value is None:
            return "?"
        if 0 <= offset < 40 and trace.entry.vector < VECTOR_COUNT:
            name = list(frame)[offset // 8]
            same = value == frame[name]
            return name if same else f"{name}, overwritten: {self._value(trace, value)}"
        if trace.variant.has_code and offset == -8 and value == trace.values.code:
            return "error code, by the CPU"
        return names.get(value) or self._value(trace, value)

    def _value(self, trace: Trace, value: int) -> str:
        if value in trace.values.names:
            return trace.values.names[value]
        if value == trace.entry.vector:
            return f"{value} (the vector)"
        if value < 1 << 16:
            return f"{value:#x}"
        if STACK_BASE <= value < STACK_BASE + STACK_SIZE:
            return f"an address on the stack: rip{value - trace.frame_address:+#x}"
        if self._image.is_code(value):
            return self._image.describe(value)
        return f"{value:#x}"
