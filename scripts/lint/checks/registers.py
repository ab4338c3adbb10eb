"""The contract at IRETQ: every register as the interrupted program had it."""

from __future__ import annotations

from collections.abc import Iterator

from lint.architecture import CALLER_SAVED, GENERAL, INT_0X80
from lint.checks.context import Checks
from lint.checks.finding import Finding
from lint.engine.trace import Moment
from lint.engine.values import KERNEL_GS, USER_GS


class RegisterChecks(Checks):
    """General registers, XMM and the GS base."""

    def check(self) -> Iterator[Finding]:
        """Yield what has not come back."""
        moment = self.trace.end.moment
        yield from self._check_registers(moment)
        yield from self._check_vectors(moment)
        yield from self._check_final_gs(moment)

    def _check_registers(self, moment: Moment) -> Iterator[Finding]:
        trace = self.trace
        before, now = trace.values.registers, moment.registers
        free = self.context.abi.by_int if self._is_call() else ()
        wrong = [name for name in GENERAL if now[name] != before[name] and name not in free]
        if not wrong or trace.variant.c_returns_rsp and not trace.calls:
            return
        if wrong == ["rax"] and self._is_result(moment):
            yield self.finding("rax-returned", "RAX comes back as C's return value", moment)
            return
        unsaved = [n for n in wrong if now[n] == trace.values.c_registers[n]]
        lucky = [n for n in unsaved if n not in self._clobbered()]
        if unsaved and self._compiler_knows_an_unseen_callee():
            lucky = unsaved
        if lucky and not self._compiler_knows():
            yield self.finding(
                "register-luck",
                f"{_list(lucky)} not saved; the C functions called happen not to change"
                f" {'it' if len(lucky) == 1 else 'them'}",
                moment,
            )
        wrong = [name for name in wrong if name not in lucky]
        mixed = [n for n in wrong if any(now[n] == before[m] for m in GENERAL)]
        if mixed:
            pairs = ", ".join(f"{n} <- {self._register(now[n])}" for n in mixed)
            yield self.finding("registers-swapped", f"registers come back mixed up: {pairs}",
                                moment)  # fmt: skip
        lost = [name for name in wrong if name not in mixed]
        if lost:
            texts = [f"{n} <- {self.slot_name(now[n])}" for n in lost]
            if all(n in unsaved for n in lost):
                texts = [f"{_list(lost)} as C left {'it' if len(lost) == 1 else 'them'}"]
            yield self.finding(
                "register-lost", "registers come back changed: " + ", ".join(texts), moment
            )

    def _register(self, value: int) -> str:
        return next(n for n, v in self.trace.values.registers.items() if v == value)

    def _is_result(self, moment: Moment) -> bool:
        """Whether RAX holds what C returned, and the gate is one for system calls."""
        result = self.trace.values.c_registers["rax"]
        return self._is_call() and moment.registers["rax"] == result

    def _is_call(self) -> bool:
        entry = self.trace.entry
        return entry.dpl == 3 or entry.vector == INT_0X80 or "syscall" in entry.name.lower()

    def _clobbered(self) -> set[str]:
        judge = self.context.judge
        lost: set[str] = set()
        for call in self.trace.calls:
            address = call.callee.address
            lost |= set(CALLER_SAVED) if address is None else judge.clobbers(address)
        return lost

    def _compiler_knows(self) -> bool:
        """Whether the callees restore caller-saved registers by the compiler's attribute, or the
        handler itself is of the compiler's making."""
        judge, debug = self.context.judge, self.context.image.debug
        if debug and debug.function(self.trace.entry.address):
            return True
        return any(judge.saves_everything(call.callee.address) for call in self.trace.calls)

    def _compiler_knows_an_unseen_callee(self) -> bool:
        """Whether a compiled handler calls what is in another object: it has seen the callee's
        declaration, and with it no_caller_saved_registers."""
        image = self.context.image
        compiled = image.debug and image.debug.function(self.trace.entry.address)
        return bool(compiled) and any(
            call.callee.address in image.externs for call in self.trace.calls
        )

    def _check_vectors(self, moment: Moment) -> Iterator[Finding]:
        trace, values = self.trace, self.trace.values
        low = (1 << 128) - 1
        after = [value & low for value in trace.end.vectors]
        lost = [n for n in range(16) if after[n] != values.vectors[n] & low]
        by_c = [n for n in lost if trace.variant.c_uses_vectors and after[n] == values.c_vectors[n]]
        by_stub = [n for n in lost if n not in by_c]
        if by_stub:
            names = _list([f"xmm{n}" for n in by_stub])
            yield self.finding("vector-register-lost", f"{names} changed by the stub", moment)
        elif any(now >> 128 != then >> 128 for now, then in zip(trace.end.vectors, values.vectors)):
            yield self.finding(
                "vector-register-lost", "the upper half of YMM registers is changed by the stub",
                moment,
            )  # fmt: skip
        if by_c:
            names = "xmm0-xmm15 are" if len(by_c) == 16 else _list([f"xmm{n}" for n in by_c])
            severity, why = self.context.vector_use.explain(trace.calls)
            if severity:
                yield self.finding("sse-unsaved", f"{names} not saved; {why}", moment, severity)

    def _check_final_gs(self, moment: Moment) -> Iterator[Finding]:
        trace = self.trace
        due = USER_GS if trace.variant.user_gs else KERNEL_GS
        if moment.gs == due or trace.gs_loads:
            return
        if trace.variant.ring == 0 and trace.variant.user_gs:
            yield self.finding(
                "swapgs-paranoid",
                "the stub does not give GS back as it was when the trap comes between an entry"
                " from ring 3 and its SWAPGS",
                moment,
            )
            return
        whose = "the kernel's" if moment.gs == KERNEL_GS else "the user's"
        yield self.finding(
            "swapgs-unbalanced",
            f"the return to ring {trace.variant.ring} is made with {whose} GS base",
            moment,
        )


def _list(names: list[str]) -> str:
    """Return such as "rax is" or "rax, rcx and r8 are"."""
    if len(names) == 1:
        return f"{names[0]} is"
    return f"{', '.join(names[:-1])} and {names[-1]} are"
