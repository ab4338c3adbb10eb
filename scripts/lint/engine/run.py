"""Running one stub once: from the state that the CPU delivers to the return, or to whatever
comes instead. C functions are not run: at a call the state is recorded, and what C is free to
destroy is destroyed."""

from __future__ import annotations

import struct
from collections.abc import Callable

from capstone import x86

from lint.architecture import CALLER_SAVED, RFLAGS_AC, RFLAGS_FIXED, RFLAGS_IF, RFLAGS_NT
from lint.engine.callee import Callee, Judge
from lint.engine.cpu import Cpu
from lint.engine.disasm import ALIGNED, Decoder, Instruction, Kind
from lint.engine.flow import ends_at_call
from lint.engine.interpret import Misaligned, interpret
from lint.engine.trace import Call, End, Entry, Moment, Trace
from lint.engine.values import (
    CR3,
    FS_BASE,
    KERNEL_GS,
    MXCSR,
    OTHER_STACK,
    STACK_BASE,
    STACK_SIZE,
    USER_GS,
    WORD,
    X87_CONTROL,
    Variant,
    make,
)
from lint.load.image import Image

# How much below RSP a called C function is taken to use: its red zone, and then some.
C_STACK = 512
PICTURE = 64  # bytes above the frame that belong to a picture of the stack

# What SGDT and SIDT store: kernels that ask have the tables where GS leads.
TABLE = (0xFFF).to_bytes(2, "little") + KERNEL_GS.to_bytes(8, "little")

# The arithmetic flags, which C leaves as it likes: carry and zero set.
C_FLAGS = 0x41


class Runner:
    """Runs the stubs of one kernel."""

    def __init__(
        self, image: Image, decoder: Decoder, judge: Judge, selectors: tuple[int, int, int, int]
    ) -> None:
        self._image = image
        self._decoder = decoder
        self._judge = judge
        self.selectors = selectors
        self._cpu = Cpu(image, decoder)
        self._do: dict[Kind, Callable[[Instruction], int | None]] = {
            Kind.CALL: self._call,
            Kind.JUMP: self._jump,
            Kind.RETURN: self._return,
            Kind.SEGMENT_LOAD: self._segment_load,
            Kind.SWAPGS: self._swapgs,
            Kind.STACK_LOAD: self._stack_load,
            Kind.STI: self._sti,
            Kind.INPUT: self._input,
            Kind.SYSTEM: self._system,
            Kind.INTERPRETED: self._interpreted,
            Kind.ALIGNED: self._aligned,
        }

    def run(self, entry: Entry, variant: Variant, watch: bool = False) -> Trace:
        """Run @entry under @variant. If C turns out to return a stack pointer, it does. With
        @watch keep the state before every instruction."""
        self._cpu.watch = self._watch if watch else None
        trace = self._run(entry, variant)
        end = trace.end
        returned = trace.values.c_registers["rax"]
        if end.kind in ("wild", "switch") and trace.calls:
            if abs(end.moment.rsp - returned) < 0x1000 and not variant.c_returns_rsp:
                again = Variant(**{**vars(variant), "c_returns_rsp": True})
                return self._run(entry, again)
        return trace

    def _run(self, entry: Entry, variant: Variant) -> Trace:
        self._trace = Trace(entry, variant, make(variant, self.selectors))
        self._deliver()
        cpu, trace = self._cpu, self._trace
        trace.path, trace.writes = cpu.path, cpu.writes
        trace.user_accesses = cpu.user_accesses
        address, over_stop = entry.address, False
        while trace.end is None:
            failure = cpu.run(address, over_stop)
            if failure is None:
                address, over_stop = self._stop()
            elif failure == "lost" and cpu.bad_address in self._image.externs and cpu.path:
                instruction = self._decoder.at(cpu.path[-1])
                address, over_stop = self._tail_call(instruction, cpu.bad_address), False
            else:
                self._fail(failure)
        return trace

    def _deliver(self) -> None:
        """Do what the CPU does: SDM vol. 3, 6.12.1 and 6.14."""
        cpu, trace = self._cpu, self._trace
        values, variant = trace.values, trace.variant
        cpu.reset()
        cpu.write(STACK_BASE, values.fill)
        frame = struct.pack("<5Q", *values.frame.values())
        if variant.has_code:
            frame = values.code.to_bytes(8, "little") + frame
        cpu.write(values.top - len(frame), frame)
        rflags = RFLAGS_FIXED | variant.flags | (RFLAGS_IF if variant.interrupts else 0)
        cpu.set_registers({**values.registers, "rsp": trace.entry_rsp}, rflags)
        cpu.set_vectors(values.vectors)
        cpu.set_fs(FS_BASE)
        cpu.set_fpu_control(MXCSR, X87_CONTROL)
        if variant.user_gs:
            cpu.set_gs(USER_GS, KERNEL_GS)
        else:
            cpu.set_gs(KERNEL_GS, USER_GS)

    def _moment(self, pc: int) -> Moment:
        registers, rflags = self._cpu.registers()
        rsp, top = registers["rsp"], self._trace.values.top + PICTURE
        base = rsp if STACK_BASE <= rsp < top else self._trace.entry_rsp - 256
        if OTHER_STACK <= rsp < OTHER_STACK + STACK_SIZE:
            base, top = rsp, min(rsp + 256, OTHER_STACK + STACK_SIZE)
        stack = self._cpu.read(base, top - base) or b""
        position = len(self._cpu.path)
        return Moment(pc, position, registers, rflags, self._cpu.gs, base, stack)

    def _watch(self, pc: int) -> None:
        self._trace.watched.append(self._moment(pc))

    def _end(self, kind: str, pc: int, value: int = 0) -> None:
        cpu = self._cpu
        self._trace.end = End(
            kind, self._moment(pc), value, cpu.vectors(), cpu.fs(), cpu.fpu_control()
        )

    def _fail(self, failure: str) -> None:
        path = self._cpu.path
        pc = path[-1] if path else self._trace.entry.address
        address = self._cpu.bad_address or 0
        if failure == "lost" and not path:
            address = pc
        self._end(failure, pc, address)

    def _stop(self) -> tuple[int, bool]:
        """Deal with the instruction before which the CPU has stopped. Return where to go on, and
        whether the CPU is to execute that instruction itself."""
        pc = self._cpu.stopped_at
        instruction = self._decoder.at(pc)
        if instruction is None:
            self._end("invalid", pc)
            return 0, False
        do = self._do.get(instruction.kind)
        if do is None:
            self._end(instruction.kind.name.lower(), pc)
            return 0, False
        before = self._moment(pc) if self._cpu.watch else None
        onward = do(instruction)
        if onward is None:
            return pc, True
        if before is not None:
            self._trace.watched.append(before)
        self._cpu.path.append(pc)
        return onward, False

    def _target(self, instruction: Instruction) -> int | None:
        """Return where a call or jump leads, None if its pointer cannot be read."""
        constant = self._decoder.target(instruction)
        if constant is not None:
            return constant
        registers, _ = self._cpu.registers()
        operand = instruction.detail.operands[0]
        if operand.type == x86.X86_OP_REG:
            return registers[instruction.detail.reg_name(operand.reg)]
        address = self._decoder.memory_address(instruction, registers)
        base = {x86.X86_REG_GS: self._cpu.gs, x86.X86_REG_FS: self._cpu.fs()}
        return self._cpu.read_int((address + base.get(operand.mem.segment, 0)) % WORD)

    def _call(self, instruction: Instruction) -> int | None:
        target = self._target(instruction)
        if target == instruction.end:
            return None  # no call, but a way to RIP
        constant = self._decoder.target(instruction) is not None
        known = target is not None and (
            target in self._image.externs or self._image.is_code(target)
        )
        if not known and constant:
            self._end("lost", instruction.address, target)
            return 0
        callee = self._judge.judge(target) if known else Callee(
            None, "a handler through a pointer", True
        )
        if not callee.is_c:
            if self._image.is_code(target):
                return None
            callee = Callee(None, callee.name, True)
        moment = self._moment(instruction.address)
        self._trace.calls.append(Call(moment, callee, instruction.end, False))
        if not callee.returns or ends_at_call(self._image, self._decoder, instruction):
            self._end("noreturn", instruction.address)
            return 0
        self._return_from_c(moment)
        return instruction.end

    def _return_from_c(self, moment: Moment) -> None:
        """Destroy what the System V ABI lets a function destroy."""
        cpu, values = self._cpu, self._trace.values
        registers = dict(moment.registers)
        for name in CALLER_SAVED:
            registers[name] = values.c_registers[name]
        if self._trace.variant.c_returns_rsp:
            argument = moment.registers["rdi"]
            inside = STACK_BASE <= argument < STACK_BASE + STACK_SIZE
            registers["rax"] = argument if inside else moment.rsp
        garbage = values.fill[:C_STACK]
        if STACK_BASE + C_STACK <= moment.rsp <= STACK_BASE + STACK_SIZE:
            cpu.write(moment.rsp - C_STACK, garbage)
        cpu.set_registers(registers, RFLAGS_FIXED | C_FLAGS | moment.rflags & (
            RFLAGS_AC | RFLAGS_IF | RFLAGS_NT
        ))
        if self._trace.variant.c_uses_vectors:
            upper = [value >> 128 << 128 for value in cpu.vectors()]
            cpu.set_vectors([high | low for high, low in zip(upper, values.c_vectors)])

    def _jump(self, instruction: Instruction) -> int | None:
        target = self._target(instruction)
        if target in self._image.externs:
            return self._tail_call(instruction, target)
        if target is None or not self._image.is_code(target):
            self._end("lost", instruction.address, target or 0)
            return 0
        return None

    def _tail_call(self, instruction: Instruction, target: int) -> int:
        """C is entered by a jump: its return address has been pushed before."""
        moment = self._moment(instruction.address)
        back = moment.word(moment.rsp)
        callee = self._judge.judge(target)
        self._trace.calls.append(Call(moment, callee, back or 0, True))
        if back is None or not self._image.is_code(back):
            self._end("tail", instruction.address, back or 0)
            return 0
        moment = Moment(**{**vars(moment), "registers": {
            **moment.registers, "rsp": moment.rsp + 8
        }})
        self._return_from_c(moment)
        return back

    def _return(self, instruction: Instruction) -> int | None:
        registers, _ = self._cpu.registers()
        target = self._cpu.read_int(registers["rsp"])
        if target is not None and self._image.is_code(target):
            return None
        self._end("return", instruction.address, target or 0)
        return 0

    def _swapgs(self, instruction: Instruction) -> None:
        self._trace.swapgs.append(self._moment(instruction.address))

    def _sti(self, instruction: Instruction) -> None:
        self._trace.sti.append(self._moment(instruction.address))

    def _input(self, instruction: Instruction) -> int:
        """Port input: alternately all ones and zero, so that a loop on a status bit ends."""
        registers, rflags = self._cpu.registers()
        registers["rax"] ^= 0xFF
        self._cpu.set_registers(registers, rflags)
        return instruction.end

    def _system(self, instruction: Instruction) -> int:
        if instruction.mnemonic in ("sgdt", "sidt"):
            address = self._decoder.memory_address(instruction, self._cpu.registers()[0])
            self._cpu.store(address, TABLE)
        elif instruction.mnemonic == "mov":
            self._control_register(instruction)
        return instruction.end

    def _control_register(self, instruction: Instruction) -> None:
        """Note how CR2 and CR3 are used. All other writes are of no consequence here."""
        trace, operands = self._trace, instruction.detail.operands
        target, source = (instruction.detail.reg_name(operand.reg) for operand in operands)
        moment = self._moment(instruction.address)
        if target == "cr3":
            trace.cr3.append(moment)
        elif source in ("cr2", "cr3"):
            if source == "cr2":
                trace.cr2.append(moment)
            value = trace.cr3[-1].registers[self._loaded(trace.cr3[-1])] if trace.cr3 else CR3
            registers = {**moment.registers, target: value if source == "cr3" else 0}
            self._cpu.set_registers(registers, moment.rflags)

    def _loaded(self, moment: Moment) -> str:
        """Return the register that the instruction at @moment loads CR3 from."""
        detail = self._decoder.at(moment.pc).detail
        return detail.reg_name(detail.operands[1].reg)

    def _segment_load(self, instruction: Instruction) -> int:
        """Only FS and GS bases matter in 64-bit mode: SDM vol. 3, 3.4.4."""
        detail = instruction.detail
        name = detail.reg_name(detail.operands[0].reg)
        if name == "gs":
            self._trace.gs_loads.append(self._moment(instruction.address))
            self._cpu.set_active_gs(0)
        elif name == "fs":
            self._cpu.set_fs(0)
        if instruction.mnemonic == "pop":
            registers, rflags = self._cpu.registers()
            registers["rsp"] += 8
            self._cpu.set_registers(registers, rflags)
        return instruction.end

    def _stack_load(self, instruction: Instruction) -> int | None:
        """Let RSP take its new value, and look where it leads."""
        if self._new_stack(instruction) is False:
            self._end_after(instruction)
            return 0
        return None

    def _new_stack(self, instruction: Instruction) -> bool | None:
        """Whether RSP will point to a stack that is known here; None if that is hard to tell."""
        operands, registers = instruction.detail.operands, self._cpu.registers()[0]
        if instruction.mnemonic == "leave":
            value = registers["rbp"]
        elif instruction.mnemonic == "mov" and operands[1].type == x86.X86_OP_REG:
            value = registers.get(instruction.detail.reg_name(operands[1].reg), 0)
        elif instruction.mnemonic == "mov" and operands[1].type == x86.X86_OP_MEM:
            if operands[1].mem.segment:
                return None
            value = self._cpu.read_int(self._decoder.memory_address(instruction, registers))
            value = OTHER_STACK if value is None else value
        else:
            return None
        self._stack_value = value
        margin = 0x100
        return any(
            base <= value <= base + STACK_SIZE + margin for base in (STACK_BASE, OTHER_STACK)
        ) or (not self._trace.calls and self._image.segment_at(value) is not None)

    def _end_after(self, instruction: Instruction) -> None:
        self._end("switch", instruction.address, self._stack_value)
        self._trace.end.moment.registers["rsp"] = self._stack_value

    def _interpreted(self, instruction: Instruction) -> int:
        try:
            known = interpret(self._cpu, self._decoder, instruction)
        except Misaligned as misaligned:
            self._end("misaligned", instruction.address, misaligned.args[0])
            return 0
        if not known:
            self._end("unsupported", instruction.address)
            return 0
        return instruction.end

    def _aligned(self, instruction: Instruction) -> int | None:
        registers, _ = self._cpu.registers()
        address = self._decoder.memory_address(instruction, registers)
        if address % ALIGNED[instruction.mnemonic.split()[-1]]:
            self._end("misaligned", instruction.address, address)
            return 0
        return None
