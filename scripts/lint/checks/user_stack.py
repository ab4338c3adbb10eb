"""The contract on what a system call's entry does while RSP, or the GS base, is the user's."""

from __future__ import annotations

from collections.abc import Iterator

from capstone import x86

from lint.architecture import RFLAGS_IF, SYSCALL
from lint.checks.context import Checks
from lint.checks.finding import Finding
from lint.engine.disasm import Instruction, Kind
from lint.engine.system_call import is_user_stack
from lint.engine.trace import Moment
from lint.engine.values import USER_GS

BY_RSP = ("push", "pop", "pushfq", "popfq", "call", "ret", "enter", "leave", "iretq")
NO_ACCESS = ("lea", "nop", "endbr64", "prefetcht0", "invlpg")
FAULTING = ("div", "idiv", "int", "int1", "int3", "ud0", "ud1", "ud2")


class UserStackChecks(Checks):
    """For every instruction of the entry."""

    def check(self) -> Iterator[Finding]:
        """Yield what is wrong there: each rule at the first instruction that breaks it, on the way
        in and again on the way out."""
        said: set[str] = set()
        on_user_stack = True
        for moment in [*self.trace.watched, self.trace.end.moment]:
            if is_user_stack(moment.rsp) != on_user_stack:
                on_user_stack = not on_user_stack
                said.clear()
            for finding in self._check_moment(moment):
                if finding.rule not in said:
                    said.add(finding.rule)
                    yield finding

    def _check_moment(self, moment: Moment) -> Iterator[Finding]:
        instruction = self.context.decoder.at(moment.pc)
        if instruction is None or instruction.detail is None:
            return
        if is_user_stack(moment.rsp):
            yield from self._on_user_stack(instruction, moment)
        if self._goes_through(instruction, x86.X86_REG_GS) and moment.gs == USER_GS:
            yield self.finding(
                "gs-user-access",
                f"`{self.text(moment.pc)}` goes through the user's GS base",
                moment,
                None if self.context.swaps_gs else "INFO",
            )
        if instruction.kind is Kind.SWAPGS and moment.rflags & RFLAGS_IF:
            yield self.finding(
                "swapgs-interruptible", "SWAPGS is executed with interrupts on", moment
            )

    def _on_user_stack(self, instruction: Instruction, moment: Moment) -> Iterator[Finding]:
        text = self.text(moment.pc)
        if moment.rflags & RFLAGS_IF and self.trace.entry.vector == SYSCALL:
            yield self.finding(
                "syscall-interruptible",
                f"`{text}` is executed with interrupts on and the user's RSP",
                moment,
            )
        if self._uses_stack(instruction):
            yield self.finding(
                "syscall-user-stack", f"`{text}` goes through the user's RSP", moment
            )
        elif self._may_fault(instruction, moment):
            yield self.finding(
                "syscall-fault-window", f"`{text}` may fault, on the user's stack", moment
            )

    @staticmethod
    def _uses_stack(instruction: Instruction) -> bool:
        if instruction.mnemonic in NO_ACCESS:
            return False
        return instruction.mnemonic in BY_RSP or any(
            operand.type == x86.X86_OP_MEM
            and x86.X86_REG_RSP in (operand.mem.base, operand.mem.index)
            for operand in instruction.detail.operands
        )

    @staticmethod
    def _goes_through(instruction: Instruction, segment: int) -> bool:
        return instruction.mnemonic not in NO_ACCESS and any(
            operand.type == x86.X86_OP_MEM and operand.mem.segment == segment
            for operand in instruction.detail.operands
        )

    def _may_fault(self, instruction: Instruction, moment: Moment) -> bool:
        if instruction.mnemonic in FAULTING:
            return True
        if instruction.mnemonic in NO_ACCESS or self._goes_through(instruction, x86.X86_REG_GS):
            return False
        address = self.context.decoder.memory_address(instruction, moment.registers)
        return address is not None and not self.is_kernels(address)
