"""Fixes for the entries of SYSCALL and SYSENTER: of the rules that hold for stubs as well, those of
the stubs would be wrong."""

from __future__ import annotations

from lint.architecture import SYSCALL
from lint.checks.finding import Group
from lint.engine.system_call import is_user_stack

AS_FOR_STUBS = {
    "swapgs-missing": "Begin with `swapgs`: this entry always comes from ring 3.",
    "swapgs-unbalanced": "`swapgs` right before the return, on every way out.",
    "swapgs-interruptible": "`cli` before the `swapgs`.",
    "df-set": "Have SFMASK clear DF (0x400), or `cld` before the call.",
    "ac-set": "Have SFMASK clear AC (0x40000), or `clac` before the call.",
}
ON_THE_WAY_IN = "Move `{0}` behind the {1} of the way in."
ON_THE_WAY_OUT = "Move `{0}` before the {1} of the way out."


def fix(group: Group, text: str) -> str | None:
    """Return what to do about @group, whose first finding is at the instruction @text."""
    trace, moment = group.first.trace, group.first.moment
    if trace.entry.vector < SYSCALL or moment is None:
        return None
    if group.rule in AS_FOR_STUBS:
        return AS_FOR_STUBS[group.rule]
    switched = any(not is_user_stack(m.rsp) for m in trace.watched if m.position < moment.position)
    ever = any(not is_user_stack(m.rsp) for m in trace.watched)
    if group.rule == "syscall-user-stack" and not ever:
        return "Load RSP with the kernel's stack first: this entry never does."
    if group.rule in ("syscall-user-stack", "syscall-fault-window"):
        return (ON_THE_WAY_OUT if switched else ON_THE_WAY_IN).format(text, "load of RSP")
    if group.rule == "gs-user-access":
        swapped = any(m.position < moment.position for m in trace.swapgs)
        return (ON_THE_WAY_OUT if swapped else ON_THE_WAY_IN).format(text, "`swapgs`")
    return None
