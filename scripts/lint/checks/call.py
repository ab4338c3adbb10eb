"""The contract at the call of C."""

from __future__ import annotations

from collections.abc import Iterator

from lint.architecture import DEBUG, DOUBLE_FAULT, MACHINE_CHECK, NMI, RFLAGS_AC, RFLAGS_DF
from lint.checks.context import Checks
from lint.checks.finding import Finding
from lint.engine.trace import Call
from lint.engine.values import USER_GS

# Vectors that may come between an entry and its SWAPGS.
PARANOID = (DEBUG, NMI, DOUBLE_FAULT, MACHINE_CHECK)


class CallChecks(Checks):
    """Alignment, flags and GS."""

    came_by = "a trap from ring 3"

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong at the calls."""
        for call in self.trace.calls:
            moment, name = call.moment, call.callee.name
            if call.misalignment:
                yield self.finding(
                    "stack-misaligned",
                    f"{name} is called with RSP mod 16 = {call.misalignment}",
                    moment,
                )
            if moment.rflags & RFLAGS_DF:
                yield self.finding("df-set", f"{name} is called with DF set", moment)
            if self.context.smap and moment.rflags & RFLAGS_AC:
                yield self.finding("ac-set", f"{name} is called with AC set", moment)
            yield from self._check_gs(call)

    def _check_gs(self, call: Call) -> Iterator[Finding]:
        trace, moment = self.trace, call.moment
        if not self.context.swaps_gs or trace.gs_loads:
            return
        if moment.gs != USER_GS or self.context.judge.sets_gs(call.callee.address):
            return
        swapped_back = trace.variant.user_gs and any(m.gs != USER_GS for m in trace.swapgs)
        if swapped_back and not self.context.judge.uses_gs(call.callee.address):
            return
        if trace.variant.ring == 3:
            # C can set GS itself where the saved CS does not tell whose it is.
            by_c = trace.entry.vector in PARANOID and not trace.swapgs
            yield self.finding(
                "swapgs-missing",
                f"{call.callee.name} is called with the user's GS base after {self.came_by}"
                + (", right if it sets GS itself" if by_c else ""),
                moment,
                "LATENT" if by_c else None,
            )
        elif trace.variant.user_gs:
            yield self.finding(
                "swapgs-paranoid",
                f"{call.callee.name} is called with the user's GS base when the trap comes"
                " between an entry from ring 3 and its SWAPGS",
                moment,
            )
        else:
            yield self.finding(
                "swapgs-from-ring-0",
                f"SWAPGS has been executed on a trap from ring 0: {call.callee.name} is called"
                " with the user's GS base",
                trace.swapgs[-1] if trace.swapgs else moment,
            )
