"""How a frame of ring 3 is unwound on other CPUs than the first: its row in asm/user.asm has TSS.RSP0
of the first one alone, for no register that GDB has tells it where the CPU's own TSS lies.
"""

from __future__ import annotations

import gdb
from gdb.unwinder import Unwinder, register_unwinder
from manuals import CONSTANTS

from . import symbols, trap

RSP0 = 4  # in the TSS, at the base of the CPU's region: SDM vol. 3, figure 7-11

# What ring3_call has saved, upwards from where RSP0 points: asm/user.asm.
SAVED = ("r15", "r14", "r13", "r12", "rbx", "eflags", "rbp", "rip")


def _word(value: int, size: int = 8) -> gdb.Value:
    return gdb.Value(value).cast(gdb.lookup_type("unsigned long" if size == 8 else "unsigned int"))


class _Frame:
    """What GDB knows the frame by."""

    def __init__(self, sp: int, pc: int) -> None:
        self.sp, self.pc = _word(sp), _word(pc)


class _Ring3(Unwinder):
    """Finds who called ring3_call() by the TSS of the CPU whose thread is selected."""

    def __init__(self) -> None:
        super().__init__("barestub-ring3")

    def __call__(self, pending: gdb.PendingFrame) -> gdb.UnwindInfo | None:
        pc = int(pending.read_register("rip"))
        cpu = gdb.selected_thread().num - 1  # QEMU has a thread for each, in their order
        start, end = symbols.address("user_text_start"), symbols.address("user_text_end")
        if cpu == 0 or not start <= pc < end:
            return None
        saved = trap.read(CONSTANTS["CPU_BASE"] + cpu * CONSTANTS["CPU_REGION_SIZE"] + RSP0)
        above = saved + 8 * len(SAVED)
        info = pending.create_unwind_info(_Frame(above, start))
        for number, name in enumerate(SAVED):
            size = pending.read_register(name).type.sizeof
            info.add_saved_register(name, _word(trap.read(saved + 8 * number), size))
        info.add_saved_register("rsp", _word(above))
        return info


register_unwinder(None, _Ring3(), replace=True)
