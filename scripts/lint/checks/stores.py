"""The contract on the way: stores, segment loads, STI."""

from __future__ import annotations

from collections.abc import Iterator

from lint.architecture import CALLER_SAVED, RFLAGS_IF
from lint.checks.context import PUSHES, Checks
from lint.checks.finding import Finding
from lint.engine.values import STACK_BASE, STACK_SIZE


class StoreChecks(Checks):
    """What a stub must not do between its first instruction and its last."""

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong on the way."""
        trace = self.trace
        top = trace.values.top
        for write in trace.writes:
            if not STACK_BASE <= write.address < STACK_BASE + STACK_SIZE:
                continue
            if write.address + write.size > top:
                yield self.at_write(
                    "write-above-frame",
                    f"`{self.text(write.pc)}` writes {write.address - top + 8} bytes"
                    " above the frame's ss, into the interrupted program's stack",
                    write,
                )
            elif write.address < write.rsp and self.mnemonic(write.pc) not in PUSHES:
                yield self.at_write(
                    "write-below-rsp", f"`{self.text(write.pc)}` stores below RSP", write
                )
        for moment in trace.swapgs:
            if moment.rflags & RFLAGS_IF:
                yield self.finding(
                    "swapgs-interruptible", "SWAPGS is executed with interrupts on", moment
                )
        for moment in trace.gs_loads:
            yield self.finding(
                "gs-selector-loaded",
                f"`{self.text(moment.pc)}` sets the GS base from a descriptor",
                moment,
                None if self.context.swaps_gs else "LATENT",
            )
        for pc, _ in trace.user_accesses:
            yield self.finding(
                "gs-user-access",
                f"`{self.text(pc)}` goes through the user's GS base",
                self.moment_like(pc),
                None if self.context.swaps_gs else "INFO",
            )
        yield from self._check_sti()

    def _check_sti(self) -> Iterator[Finding]:
        trace = self.trace
        first_call = trace.calls[0].moment.position if trace.calls else len(trace.path)
        for moment in trace.sti:
            kept = {moment.word(a) for a in range(moment.stack_base, trace.frame_address, 8)}
            unsaved = [n for n in CALLER_SAVED if trace.values.registers[n] not in kept]
            if moment.position < first_call and unsaved:
                yield self.finding(
                    "early-sti", "STI comes before the registers are saved", moment
                )
