"""The contract on what is neither in a general register nor in the frame: CR2, CR3, the FS base,
and the control words of the FPU. And registers that are kept where the next trap keeps its own."""

from __future__ import annotations

from collections.abc import Iterator

from lint.architecture import PAGE_FAULT
from lint.checks.context import Checks
from lint.checks.finding import Finding
from lint.engine.trace import Moment, Write
from lint.engine.values import (
    FS_BASE,
    KERNEL_GS,
    MXCSR,
    STACK_BASE,
    STACK_SIZE,
    X87_CONTROL,
)
from lint.load.objects import EXTERN_SIZE

SAVES = ("fxsave", "xsave")
RESTORES = ("fxrstor", "xrstor")


class StateChecks(Checks):
    """For runs that end in IRETQ on the stack that they began on, and for CR2 in all."""

    def check(self) -> Iterator[Finding]:
        """Yield what has not come back, or was read too late."""
        yield from self._check_cr2()
        end = self.trace.end
        if end.kind != "iretq" or self.trace.variant.c_returns_rsp:
            return
        yield from self._check_parked()
        yield from self._check_fpu(end.moment)
        if end.fs != FS_BASE and self.trace.variant.ring == 3:
            yield self.finding("fs-base-lost", "the FS base comes back changed", end.moment)
        # A second load may be anything that was kept; one alone cannot be the old value.
        if len(self.trace.cr3) == 1:
            load = self.trace.cr3[0]
            yield self.finding(
                "cr3-not-restored", f"`{self.text(load.pc)}` is the only load of CR3", load
            )

    def _check_cr2(self) -> Iterator[Finding]:
        trace = self.trace
        if trace.entry.vector != PAGE_FAULT:
            return
        dangers = [("STI", moment.position) for moment in trace.sti]
        dangers += [(f"the call of {c.callee.name}", c.moment.position) for c in trace.calls]
        for read in trace.cr2[:1]:
            before = [name for name, position in dangers if position < read.position]
            if before:
                yield self.finding("cr2-late", f"CR2 is read after {before[0]}", read)

    def _check_parked(self) -> Iterator[Finding]:
        registers = {value: name for name, value in self.trace.values.registers.items()}
        stores = [w for w in self.trace.writes if w.size == 8 and w.value in registers]
        pushed = {w.value for w in stores if STACK_BASE <= w.address < STACK_BASE + STACK_SIZE}
        for write in stores:
            if write.value not in pushed and self._is_shared(write):
                name = registers[write.value]
                yield self.at_write(
                    "register-parked",
                    f"`{self.text(write.pc)}` makes the only copy of {name}, in a variable",
                    write,
                )

    def _is_shared(self, write: Write) -> bool:
        """Whether the memory is the same one for the next trap on this CPU."""
        image, address = self.context.image, write.address
        per_cpu = KERNEL_GS <= address < KERNEL_GS + STACK_SIZE
        elsewhere = any(base <= address < base + EXTERN_SIZE for base in image.externs)
        return per_cpu or elsewhere or image.segment_at(address) is not None

    def _check_fpu(self, moment: Moment) -> Iterator[Finding]:
        mxcsr, control = self.trace.end.fpu_control
        lost = [f"MXCSR is {mxcsr:#x}"] if mxcsr != MXCSR else []
        lost += [f"the x87 control word is {control:#x}"] if control != X87_CONTROL else []
        if lost:
            yield self.finding("fpu-control-lost", " and ".join(lost) + ", of the stub's making",
                               moment)  # fmt: skip
        names = {self.mnemonic(pc) for pc in set(self.trace.path)}
        if any(n.startswith(SAVES) for n in names) and not any(
            n.startswith(RESTORES) for n in names
        ):
            yield self.finding(
                "fpu-not-restored", "the FPU's state is saved and never restored", moment
            )
