"""The contract at the end of a run: the return, or what came instead of it."""

from __future__ import annotations

from collections.abc import Iterator

from lint.architecture import GENERAL, is_canonical
from lint.checks.context import PUSHES, Checks
from lint.checks.finding import Finding
from lint.checks.registers import RegisterChecks
from lint.engine.trace import Moment


class EndChecks(Checks):
    """There is a method for every kind of End."""

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong with the end of the run."""
        end = self.trace.end
        check = getattr(self, f"_end_{end.kind}")
        yield from check(end.moment, end.value)

    def _end_iretq(self, moment: Moment, _value: int) -> Iterator[Finding]:
        returned = moment.rsp == self.trace.frame_address or self._is_copy(moment)
        if returned:
            yield from self._check_frame(moment)
        else:
            yield from self._check_return_address(moment)
        yield from RegisterChecks(self.context, self.trace).check()

    def _end_iret32(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self.finding(
            "return-by-iret", f"the stub returns by a 32-bit `{self.text(moment.pc)}`", moment
        )
        yield from RegisterChecks(self.context, self.trace).check()

    def _end_return(self, moment: Moment, value: int) -> Iterator[Finding]:
        yield self.finding(
            "return-by-ret",
            f"the stub ends in `ret`, which takes {self.slot_name(value)} for a return"
            " address",
            moment,
        )

    def _end_tail(self, moment: Moment, value: int) -> Iterator[Finding]:
        callee = self.trace.calls[-1].callee.name
        yield self.finding(
            "return-by-ret",
            f"{callee} is entered by a jump: its `ret` takes {self.slot_name(value)}"
            " for a return address",
            moment,
        )

    def _end_sysret(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self.finding(
            "not-judged", f"the stub returns by `{self.text(moment.pc)}`", moment
        )

    def _end_lost(self, moment: Moment, value: int) -> Iterator[Finding]:
        where = "a null pointer" if value == 0 else self.name(value)
        yield self.finding(
            "execution-lost", f"execution goes to {where}, where no code is", moment
        )

    def _end_invalid(self, moment: Moment, _value: int) -> Iterator[Finding]:
        instruction = self.context.decoder.at(moment.pc)
        path = self.trace.path
        if instruction is not None and (not path or moment.pc == path[-1]):
            yield self.finding(
                "not-judged", f"the emulator does not know `{self.text(moment.pc)}`", moment
            )
        else:
            yield self.finding(
                "invalid-instruction", "execution runs into bytes that are no instruction", moment
            )

    def _end_wild(self, moment: Moment, value: int) -> Iterator[Finding]:
        names = self.trace.values.names
        near = next((names[value - d] for d in range(-256, 257) if value - d in names), None)
        what = f"{near} as an address" if near else self._address_kind(value)
        yield self.finding("wild-access", f"`{self.text(moment.pc)}` uses {what}", moment)

    @staticmethod
    def _address_kind(value: int) -> str:
        return "an unmapped address" if is_canonical(value) else "a non-canonical address"

    def _end_exception(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self.finding(
            "exception-in-stub", f"`{self.text(moment.pc)}` raises an exception", moment
        )

    def _end_misaligned(self, moment: Moment, value: int) -> Iterator[Finding]:
        align = 64 if self.mnemonic(moment.pc).startswith("x") else 16  # XSAVE, XRSTOR
        yield self.finding(
            "operand-misaligned",
            f"`{self.text(moment.pc)}` is executed with its operand at mod {align} ="
            f" {value % align}",
            moment,
        )

    def _end_halt(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self.finding("never-returns", "the stub halts the CPU", moment)

    def _end_budget(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self.finding("never-returns", "the stub loops and does not return", moment)

    def _end_trap(self, moment: Moment, _value: int) -> Iterator[Finding]:
        if self._is_padding(moment.pc):
            yield self.finding(
                "runs-into-padding", "execution runs into the INT3s behind the code", moment
            )
            return
        yield self.finding(
            "never-returns", f"the stub ends in `{self.text(moment.pc)}`", moment
        )

    def _is_padding(self, pc: int) -> bool:
        """Whether INT3s fill up from @pc to the next function."""
        image, decoder = self.context.image, self.context.decoder
        instruction = decoder.at(pc)
        if instruction is None or instruction.mnemonic != "int3":
            return False
        following = decoder.at(instruction.end)
        return image.starts_function(instruction.end) or (
            following is not None and following.mnemonic == "int3"
        )

    def _end_noreturn(self, moment: Moment, _value: int) -> Iterator[Finding]:
        callee = self.trace.calls[-1].callee.name
        yield self.finding("never-returns", f"{callee} is called and does not return", moment)

    def _end_switch(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self.finding(
            "stack-switched", f"`{self.text(moment.pc)}` loads RSP from memory", moment
        )

    def _end_unsupported(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self.finding(
            "not-judged", f"the emulator does not know `{self.text(moment.pc)}`", moment
        )

    def _is_copy(self, moment: Moment) -> bool:
        """Whether RSP is at a copy of the frame, such as on a stack just for the return."""
        frame = list(self.trace.values.frame.values())
        return [moment.word(moment.rsp + 8 * slot) for slot in range(5)] == frame

    def _check_frame(self, moment: Moment) -> Iterator[Finding]:
        for slot, (name, value) in enumerate(self.trace.values.frame.items()):
            now = moment.word(moment.rsp + 8 * slot)
            if now == value:
                continue
            address = moment.rsp + 8 * slot
            writer = next(
                (w for w in reversed(self.trace.writes)
                 if w.address <= address + 7 and w.address + w.size > address), None
            )  # fmt: skip
            if writer and self.mnemonic(writer.pc) in PUSHES:
                yield self.at_write(
                    "frame-overwritten",
                    f"`{self.text(writer.pc)}` overwrites the frame's {name}",
                    writer,
                )
            elif writer:
                yield self.at_write(
                    "frame-rewritten",
                    f"`{self.text(writer.pc)}` changes the frame's {name}",
                    writer,
                    "INFO" if name == "rip" else None,
                )

    def _are_all_shifted(self, moment: Moment) -> bool:
        """Whether so many registers are wrong that the pops have begun in the wrong slot."""
        before = self.trace.values.registers
        wrong = [name for name in GENERAL if moment.registers[name] != before[name]]
        return len(wrong) > len(GENERAL) // 2

    def _check_return_address(self, moment: Moment) -> Iterator[Finding]:
        trace = self.trace
        delta = moment.rsp - trace.frame_address
        has_code = trace.variant.has_code
        shift = self.context.shifts.get((trace.entry.vector, has_code), 0)
        at_rsp = self.slot_name(moment.word(moment.rsp) or 0)
        seen = f"{_distance(delta)}: it takes {at_rsp} for rip"
        a_code = has_code or moment.word(moment.rsp) == 0
        if self._are_all_shifted(moment):
            rule = "return-off-frame"
        elif delta == 8 and moment.pc in self.context.twice and not shift:
            rule = "code-dropped-twice"
        elif a_code and delta == -8:
            rule = "dummy-code-extra" if shift == 8 else "code-not-dropped"
        elif has_code and delta == -16 and moment.pc in self.context.right_without_code or (
            not has_code and shift == 8
        ):
            rule = "dummy-code-extra"
        elif not has_code and delta == 8:
            rule = "dummy-code-missing"
        else:
            rule = "return-off-frame"
        if shift and trace.calls:
            seen += (
                f"; and {trace.calls[0].callee.name} receives a frame that is {abs(shift)} bytes"
                f" {'longer' if shift > 0 else 'shorter'} than other vectors'"
            )
        yield self.finding(rule, f"IRETQ is executed with RSP {seen}", moment)


def _distance(delta: int) -> str:
    return f"{abs(delta)} bytes {'above' if delta > 0 else 'below'} the frame"
