"""The contract at the end of a system call: what the program gets back."""

from __future__ import annotations

from collections.abc import Iterator

from lint.architecture import (
    GENERAL,
    RFLAGS_IF,
    RFLAGS_IOPL,
    RFLAGS_NT,
    RFLAGS_VM,
    SYSCALL,
    is_canonical,
)
from lint.checks.end import EndChecks
from lint.checks.finding import Finding
from lint.checks.registers import RegisterChecks
from lint.engine.system_call import ANOTHERS
from lint.engine.trace import Moment
from lint.engine.values import KERNEL_GS, OTHER_STACK, STACK_BASE, STACK_SIZE, USER_GS

REX_W = 0x48
WRONG_FLAGS = RFLAGS_IOPL | RFLAGS_NT | RFLAGS_VM
DEFINED_FLAGS = 22  # bits of RFLAGS
FRAME = ("rip", "cs", "rflags", "rsp", "ss")


class UserReturnChecks(EndChecks):
    """SYSRET, SYSEXIT and IRETQ to ring 3. Whatever else comes is as for stubs."""

    def _end_sysret(self, moment: Moment, _value: int) -> Iterator[Finding]:
        code = self.context.image.read(moment.pc, 1)
        if not code or code[0] & REX_W != REX_W:
            yield self.finding(
                "sysret-operand-size",
                f"`{self.text(moment.pc)}` returns to 32-bit code",
                moment,
            )
        if self.trace.entry.vector == SYSCALL:
            registers = moment.registers
            yield from self._check_rip(registers["rcx"], "RCX", moment)
            yield from self._check_rflags(registers["r11"], "R11", moment)
            yield from self._check_rsp(registers["rsp"], moment)
        yield from self._check_common(moment, ("rcx", "r11"))

    def _end_iretq(self, moment: Moment, _value: int) -> Iterator[Finding]:
        frame = {name: moment.word(moment.rsp + 8 * at) for at, name in enumerate(FRAME)}
        if moment.rflags & RFLAGS_NT:
            yield self.finding("nt-set", "IRETQ is executed with the user's NT", moment)
        if None in frame.values():
            yield from super()._end_iretq(moment, _value)
            return
        if frame["cs"] & 3 != 3 or frame["ss"] & 3 != 3:
            yield self.finding(
                "frame-selectors",
                f"CS is {frame['cs']:#x} and SS is {frame['ss']:#x} in the frame for ring 3",
                moment,
            )
        if self.trace.entry.vector == SYSCALL:
            yield from self._check_rip(frame["rip"], "the frame's RIP", moment)
            yield from self._check_rflags(frame["rflags"], "the frame's RFLAGS", moment)
            yield from self._check_rsp(frame["rsp"], moment)
        yield from self._check_common(moment, ())

    def _check_rip(self, value: int, where: str, moment: Moment) -> Iterator[Finding]:
        trace = self.trace
        by_sysret = where == "RCX"
        if not is_canonical(value) and (trace.variant.hostile_rip or trace.variant.rewritten):
            if by_sysret:
                source = "SYSCALL" if trace.variant.hostile_rip else "C's change of the frame"
                yield self.finding(
                    "sysret-not-canonical",
                    f"{where} at SYSRET is not canonical, if it is not after {source}",
                    moment,
                )
        elif value != trace.values.rip and not trace.variant.rewritten:
            yield self._lost("syscall-rip-lost", where, value, moment)

    def _check_rflags(self, value: int, where: str, moment: Moment) -> Iterator[Finding]:
        wrong = value & WRONG_FLAGS & ~self.trace.values.rflags
        if self.trace.variant.rewritten and wrong:
            yield self.finding(
                "syscall-rflags-trusted",
                f"{where} has IOPL 3, if C has written that into the frame",
                moment,
            )
        elif not value & RFLAGS_IF or wrong or value >> DEFINED_FLAGS:
            yield self._lost("syscall-rflags-lost", where, value, moment)

    def _check_rsp(self, value: int, moment: Moment) -> Iterator[Finding]:
        if value != self.trace.values.rsp:
            yield self._lost("syscall-rsp-lost", "RSP", value, moment)

    def _lost(self, rule: str, where: str, value: int, moment: Moment) -> Finding:
        if value == ANOTHERS:
            rule = "syscall-parked"
        return self.finding(rule, f"{where} is {self.name(value)}", moment)

    def _check_common(self, moment: Moment, by_instruction: tuple[str, ...]) -> Iterator[Finding]:
        yield from CallRegisterChecks(self.context, self.trace).check_but(by_instruction)

    def name(self, value: int | None) -> str:
        return "another task's" if value == ANOTHERS else super().name(value)


class CallRegisterChecks(RegisterChecks):
    """General registers by the kernel's own ABI, XMM, and the GS base."""

    def check_but(self, consumed: tuple[str, ...]) -> Iterator[Finding]:
        """Yield what is wrong with all but the registers that the return has @consumed."""
        moment = self.trace.end.moment
        before, now = self.trace.values.registers, moment.registers
        changed = {n: now[n] for n in GENERAL if now[n] != before[n] and n not in consumed}
        if self.trace.variant.hostile_rip or self.trace.variant.rewritten:
            changed.pop("rcx", None)
        yield from self._check_parked(changed, moment)
        lost = [n for n, v in changed.items()
                if n not in self.context.abi.changed and v != ANOTHERS]  # fmt: skip
        if lost:
            texts = ", ".join(f"{name} <- {self.name(changed[name])}" for name in lost)
            yield self.finding(
                "syscall-register-lost",
                f"registers come back changed: {texts}; the ABI is taken for"
                f" {self.context.abi.name}",
                moment,
            )
        yield from self._check_leaks({n: changed[n] for n in changed if n not in lost}, moment)
        yield from self._check_vectors(moment)
        if moment.gs != USER_GS:
            yield self.finding(
                "swapgs-unbalanced",
                "the return to ring 3 is made with the kernel's GS base",
                moment,
            )

    def _check_parked(self, changed: dict[str, int], moment: Moment) -> Iterator[Finding]:
        parked = [name for name, value in changed.items() if value == ANOTHERS]
        if parked:
            yield self.finding(
                "syscall-parked",
                f"{', '.join(parked)} comes back as another task had it",
                moment,
            )

    def _check_leaks(self, changed: dict[str, int], moment: Moment) -> Iterator[Finding]:
        left = self.trace.values.c_registers
        by_c = [n for n, v in changed.items() if v == left[n] and n != "rax"]
        if by_c:
            yield self.finding(
                "syscall-leak", f"{', '.join(by_c)} come back as C left them", moment
            )
        addresses = [n for n, v in changed.items() if self._is_kernel_address(v)]
        if addresses:
            texts = ", ".join(f"{name} <- {self.name(changed[name])}" for name in addresses)
            yield self.finding(
                "syscall-leak", f"the kernel's addresses come back: {texts}", moment, "ERROR"
            )

    def _is_kernel_address(self, value: int) -> bool:
        regions = (STACK_BASE, OTHER_STACK, KERNEL_GS)
        return any(base <= value <= base + STACK_SIZE for base in regions) or (
            value > 1 << 16 and self.context.image.segment_at(value) is not None
        )
