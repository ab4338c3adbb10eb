"""CR2 is the next page fault's as soon as something else faults: it is read before anything may."""

from __future__ import annotations

from collections.abc import Iterator

from capstone import x86

from lint.checks.context import Checks
from lint.checks.finding import Finding
from lint.engine.disasm import Instruction
from lint.engine.trace import Moment
from lint.engine.values import STACK_BASE, STACK_SIZE

NO_ACCESS = ("lea", "nop", "endbr64")


class Cr2Checks(Checks):
    """For a run of #PF's stub that was watched."""

    def check(self) -> Iterator[Finding]:
        """Yield the accesses before CR2 is read that lead to memory which need not be there."""
        for read in self.trace.cr2[:1]:
            for moment in self.trace.watched:
                if moment.position < read.position and self._may_fault(moment):
                    yield self.finding(
                        "cr2-late",
                        f"CR2 is read after `{self.text(moment.pc)}`, which may fault",
                        read,
                    )
                    return

    def _may_fault(self, moment: Moment) -> bool:
        instruction = self.context.decoder.at(moment.pc)
        if instruction is None or instruction.mnemonic in NO_ACCESS:
            return False
        address = self.context.decoder.memory_address(instruction, moment.registers)
        if address is None or _is_per_cpu(instruction):
            return False
        return not STACK_BASE <= address < STACK_BASE + STACK_SIZE and not self.is_kernels(address)


def _is_per_cpu(instruction: Instruction) -> bool:
    return any(o.type == x86.X86_OP_MEM and o.mem.segment == x86.X86_REG_GS
               for o in instruction.detail.operands)  # fmt: skip
