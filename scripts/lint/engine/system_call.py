"""Running a SYSCALL or SYSENTER entry once: on the user's stack and GS base, until it has switched
to the kernel's, and from there to SYSRET, SYSEXIT or IRETQ."""

from __future__ import annotations

from dataclasses import dataclass

from capstone import x86

from lint.architecture import (
    ARGUMENTS,
    RFLAGS_IOPL,
    RFLAGS_IF,
    RFLAGS_TF,
    SYSCALL,
)
from lint.engine.disasm import Instruction
from lint.engine.run import Runner
from lint.engine.trace import Entry, Moment, Trace
from lint.engine.values import (
    KERNEL_GS,
    STACK_BASE,
    STACK_SIZE,
    USER_STACK,
    WORD,
    Variant,
)

# The first address above the lower half: SYSCALL in the last two bytes below leaves it in RCX.
NOT_CANONICAL = 1 << 47

# What a second system call on the same CPU keeps where the first one did.
ANOTHERS = 0x5EC07D5EC07D5EC0

# Between the kernel's stacks, if it has several.
DISTANCE = 0x1000

# The library would single-step.
NEVER_RUN = RFLAGS_TF


@dataclass(frozen=True)
class CallVariant(Variant):
    """The circumstances under which a system call is made."""

    number: int = 1  # RAX
    hostile_rip: bool = False  # RCX is not canonical
    rewritten: bool = False  # C gives the frame, if it gets its address, such a RIP, and IOPL 3
    another: bool = False  # while C sleeps, another task makes a system call

    def __str__(self) -> str:
        words = [super().__str__()]
        words += ["RIP not canonical"] if self.hostile_rip else []
        words += ["C changes RIP and RFLAGS in the frame"] if self.rewritten else []
        words += ["another task's system call in between"] if self.another else []
        return ", ".join(words)


def is_user_stack(address: int) -> bool:
    """Whether @address is on the stack that the program has."""
    return USER_STACK - STACK_SIZE <= address < USER_STACK + STACK_SIZE


class SystemCallRunner(Runner):
    """Runs what LSTAR and SYSENTER_EIP point to."""

    sfmask = 0

    def run(self, entry: Entry, variant: Variant, watch: bool = True) -> Trace:
        """Run @entry under @variant, which is a CallVariant. The state before every instruction is
        always kept."""
        self._cpu.watch = self._watch
        return self._run(entry, variant)

    def interrupt(self, handler: Entry, moment: Moment, variant: Variant) -> Trace:
        """Run @handler as if its vector, which has an IST stack, came at @moment."""
        self._cpu.watch = None
        interrupted = _Interrupted(**{**vars(variant), "moment": moment})
        return self._run(handler, interrupted)

    @staticmethod
    def is_stack(address: int) -> bool:
        """Whether @address is on the kernel's stack."""
        return STACK_BASE <= address < STACK_BASE + STACK_SIZE

    def _deliver(self) -> None:
        """Do what the CPU does: SDM vol. 2, SYSCALL and SYSENTER."""
        variant = self._trace.variant
        if isinstance(variant, _Interrupted):
            self._interrupted_at(variant.moment)
            super()._deliver()
            return
        self._stacks: dict[int, int] = {}  # by where RSP was loaded from
        self._prepare(variant)
        super()._deliver()
        values, cpu = self._trace.values, self._cpu
        cpu.write(STACK_BASE, values.fill)  # nobody has pushed a frame
        cleared = self.sfmask if self._trace.entry.vector == SYSCALL else RFLAGS_IF
        rsp = values.rsp if self._trace.entry.vector == SYSCALL else values.top
        flags = values.rflags & ~(cleared | NEVER_RUN)
        cpu.set_registers({**values.registers, "rsp": rsp}, flags)

    def _prepare(self, variant: CallVariant) -> None:
        """Make the values those of a program that makes a system call."""
        values = self._trace.values
        if variant.hostile_rip:
            values.rip = NOT_CANONICAL
        values.registers["rax"] = variant.number
        if self._trace.entry.vector == SYSCALL:
            values.registers.update(rcx=values.rip, r11=values.rflags)
        values.names = {
            **{value: name.replace("the interrupted", "the user's")
               for value, name in values.names.items()},
            values.rip: "the user's RIP",
            values.rflags: "the user's RFLAGS",
            values.rsp: "the user's RSP",
        }  # fmt: skip

    def _interrupted_at(self, moment: Moment) -> None:
        values = self._trace.values
        values.registers = {n: v for n, v in moment.registers.items() if n != "rsp"}
        values.rip, values.rsp, values.rflags = moment.pc, moment.rsp, moment.rflags

    def _stop(self) -> tuple[int, bool]:
        if self._cpu.watch is not None:
            self._watch(self._cpu.stopped_at)
        return super()._stop()

    def _watch(self, pc: int) -> None:
        watched, position = self._trace.watched, len(self._cpu.path)
        if not watched or (watched[-1].pc, watched[-1].position) != (pc, position):
            watched.append(self._moment(pc))

    def _stack_load(self, instruction: Instruction) -> int | None:
        """Bring RSP to the kernel's stack that the emulated memory has, wherever the kernel's own
        lies. What has been the user's, or is on that stack, stays."""
        if isinstance(self._trace.variant, _Interrupted):
            return super()._stack_load(instruction)
        if instruction.mnemonic not in ("mov", "xchg", "lea"):
            return None
        registers, rflags = self._cpu.registers()
        source = self._source(instruction)
        if source.type == x86.X86_OP_REG:
            name = instruction.detail.reg_name(source.reg)
            if not self._is_known(registers[name]):
                value = registers[name]
                registers[name] = self._given_by_c(value) or self._top(value, value)
                self._cpu.set_registers(registers, rflags)
            return None
        if source.type == x86.X86_OP_MEM and instruction.mnemonic != "lea":
            address = self._address(instruction, source, registers)
            value = self._cpu.read_int(address)
            if value is not None and self._is_known(value):
                return None
            top = self._top(address, value or 0)
            if self._cpu.store(address, top.to_bytes(8, "little")):
                return None
            self._cpu.set_registers({**registers, "rsp": top}, rflags)
            return instruction.end
        if instruction.mnemonic == "lea":
            value = self._decoder.memory_address(instruction, registers)
        else:
            value = source.imm % WORD
        if self._is_known(value):
            return None
        self._cpu.set_registers({**registers, "rsp": self._top(value, value)}, rflags)
        return instruction.end

    def _given_by_c(self, value: int) -> int | None:
        """Return the frame that C was called with, if @value is what C has returned: another
        task's, for a switch."""
        trace = self._trace
        if not trace.calls or value != trace.values.c_registers["rax"]:
            return None
        argument = trace.calls[-1].moment.registers["rdi"]
        return argument if self.is_stack(argument) else trace.calls[-1].moment.rsp

    @staticmethod
    def _source(instruction: Instruction) -> object:
        first, second = instruction.detail.operands
        is_rsp = second.type == x86.X86_OP_REG and second.reg == x86.X86_REG_RSP
        return first if is_rsp else second

    def _address(self, instruction: Instruction, operand: object, registers: dict) -> int:
        base = {x86.X86_REG_GS: self._cpu.gs, x86.X86_REG_FS: self._cpu.fs()}
        address = self._decoder.memory_address(instruction, registers)
        return (address + base.get(operand.mem.segment, 0)) % WORD

    def _is_known(self, value: int) -> bool:
        return value == ANOTHERS or is_user_stack(value) or self.is_stack(value)

    def _top(self, source: int, value: int) -> int:
        """Return the top of the stack that @source stands for, which is as well aligned as
        @value. There may be several: one to leave by, under page-table isolation."""
        number = self._stacks.setdefault(source, len(self._stacks))
        return self._trace.values.top - number * DISTANCE - (-value % 16)

    def _return_from_c(self, moment: Moment) -> None:
        variant, values = self._trace.variant, self._trace.values
        super()._return_from_c(moment)
        if isinstance(variant, _Interrupted):
            return
        if variant.rewritten:
            new = {values.rip: NOT_CANONICAL, values.rflags: values.rflags | RFLAGS_IOPL}
            for address in self._slots(moment):
                value = new.get(self._cpu.read_int(address))
                if value is not None:
                    self._cpu.store(address, value.to_bytes(8, "little"))
        if variant.another and len(self._trace.calls) == 1:
            for write in list(self._trace.writes):
                if self._is_shared(write.address):
                    self._cpu.store(write.address, ANOTHERS.to_bytes(8, "little")[: write.size])

    def _slots(self, moment: Moment) -> range:
        """Return the addresses on the stack that C has been given."""
        given = [a for name in ARGUMENTS if self.is_stack(a := moment.registers[name])]
        return range(min(given), self._trace.values.top, 8) if given else range(0)

    def _is_shared(self, address: int) -> bool:
        """Whether the next system call on this CPU stores there as well."""
        per_cpu = KERNEL_GS <= address < KERNEL_GS + STACK_SIZE
        return per_cpu or self._image.segment_at(address) is not None


@dataclass(frozen=True)
class _Interrupted(Variant):
    """A trap from ring 0 in the middle of a system call's entry."""

    moment: Moment | None = None
