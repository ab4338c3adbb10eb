"""traps: the last traps that were taken."""

from __future__ import annotations

import gdb
from manuals import CONSTANTS, VECTORS, short

from ..command import Command, say
from ..draw.stack import clipped
from ..frame import symbols, trap


def _taken() -> list[gdb.Value]:
    """Return struct taken_trap of the CPU's last traps, the newest first. kernel/trap/stacks.h"""
    number = gdb.selected_thread().num - 1  # QEMU has a thread for each, in their order
    region = CONSTANTS["CPU_BASE"] + number * CONSTANTS["CPU_REGION_SIZE"]
    cpu = gdb.parse_and_eval(f"(struct cpu *){region:#x}")
    taken, kept = int(cpu["traps_taken"]), int(cpu["traps"].type.range()[1]) + 1
    return [cpu["traps"][(taken - ago) % kept] for ago in range(1, min(taken, kept) + 1)]


def _error(taken: gdb.Value) -> str:
    vector = VECTORS.get(int(taken["vector"]))
    pushed = vector is not None and vector.has_code and not taken["slot_opened"]
    return f"{int(taken['error_code']):#x}" if pushed else "-"


class Traps(Command):
    """List the last traps of this thread's CPU, the newest first: traps [N].

    They are those that have reached trap_dispatch(): vector, error code (- if the CPU
    pushed none), the code that was interrupted, and where struct regs lies on the stack.
    A * marks those that have not returned yet."""

    name = "traps"

    def run(self, argument: str) -> None:
        if argument and not argument.isdigit():
            raise gdb.GdbError(f'traps takes how many to list, got "{argument}".')
        try:
            taken = _taken()
        except gdb.MemoryError:
            taken = []
        if not taken:
            say("No trap has been taken yet.")
            return
        running = {found.regs for found in trap.in_progress()}
        say("  ago  trap           error      at                           struct regs")
        for ago, one in enumerate(taken[: int(argument or len(taken))], 1):
            vector, regs = int(one["vector"]), int(one["regs"])
            say(
                f"  {ago:>3}  {vector:>3} {short(vector):<10} {_error(one):<10} "
                f"{clipped(symbols.name(int(one['rip'])), 28):<28} {regs:x}"
                f"{' *' if regs in running else ''}"
            )


Traps()
