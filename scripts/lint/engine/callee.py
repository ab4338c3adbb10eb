"""What is called: C, which keeps to the System V ABI and need not be run, or an assembly helper,
which does as it likes with the stack and is run as a part of the stub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from capstone import x86

from lint.architecture import CALLER_SAVED
from lint.engine.disasm import Decoder, Instruction, Kind
from lint.load.image import Image

LIMIT = 400  # instructions of a function that are looked at
CLOSURE_LIMIT = 4000  # functions that are followed

WIDE = {
    **{f"e{n}": f"r{n}" for n in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")},
    **{n: f"r{n}" for n in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")},
    **{f"{n}l": f"r{n}x" for n in "abcd"},
    **{f"{n}h": f"r{n}x" for n in "abcd"},
    **{f"{n}l": f"r{n}" for n in ("si", "di", "bp", "sp")},
    **{f"r{n}{s}": f"r{n}" for n in range(8, 16) for s in ("d", "w", "b")},
}


@dataclass(frozen=True)
class Callee:
    """A call target as the judge sees it."""

    address: int | None
    name: str
    is_c: bool
    returns: bool = True


@dataclass
class Body:
    """What the instructions of a function do, as far as one can see without running it."""

    clobbers: set[str]  # caller-saved registers that it changes and does not restore
    saves: set[str]  # caller-saved registers that it pushes and pops
    calls: set[int]
    indirect: bool  # calls or jumps through a pointer
    sets_gs: bool  # by SWAPGS, WRGSBASE or WRMSR
    uses_gs: bool
    vector_registers: int | None  # the address of the first instruction that changes XMM or YMM
    is_assembly: bool
    returns: bool


class Judge:
    """Judges call targets, each once."""

    def __init__(
        self, image: Image, decoder: Decoder, c_names: set[str], assembly_names: set[str]
    ) -> None:
        self._image = image
        self._decoder = decoder
        self._c_names = c_names
        self._assembly_names = assembly_names
        self._callees: dict[int, Callee] = {}
        self._bodies: dict[int, Body] = {}
        self._vector_users: dict[int | None, tuple[int | None, bool]] = {}

    def judge(self, address: int) -> Callee:
        """Return what is at @address."""
        if address not in self._callees:
            self._callees[address] = self._judge(address)
        return self._callees[address]

    def _judge(self, address: int) -> Callee:
        image = self._image
        name = image.describe(address)
        if address in image.externs:
            return Callee(address, name, name not in self._assembly_names)
        if not image.is_code(address):
            return Callee(None, "a handler through a pointer", True)
        debug = image.debug.function(address) if image.debug else None
        if name in self._c_names:
            return Callee(address, name, True)
        if name in self._assembly_names:
            return Callee(address, name, False)
        if debug is not None:
            return Callee(address, debug.name, True, not debug.noreturn)
        body = self.body(address)
        return Callee(address, name, not body.is_assembly, body.returns or body.indirect)

    def body(self, address: int) -> Body:
        """Return what the function at @address does."""
        if address not in self._bodies:
            self._bodies[address] = _Scan(self._decoder, self._image, address).body()
        return self._bodies[address]

    def clobbers(self, address: int, depth: int = 4) -> set[str]:
        """Return the caller-saved registers that the function at @address may change."""
        if not self._image.is_code(address):
            return set(CALLER_SAVED)
        body = self.body(address)
        if body.indirect or (body.calls and depth == 0):
            return set(CALLER_SAVED) - body.saves
        lost = set(body.clobbers)
        for callee in body.calls:
            lost |= self.clobbers(callee, depth - 1) - body.saves
        return lost

    def saves_everything(self, address: int | None) -> bool:
        """Whether the function restores caller-saved registers, as the compilers' attribute
        no_caller_saved_registers has it do."""
        if address is None or not self._image.is_code(address):
            return False
        body = self.body(address)
        # RAX is also pushed and popped just to align the stack for a call.
        return bool(body.saves - {"rax"}) or bool(body.saves) and not (body.calls or body.indirect)

    def sets_gs(self, address: int | None) -> bool:
        """Whether the function at @address, or one that it calls, can set the GS base."""
        return any(body.sets_gs for body in self._near(address))

    def uses_gs(self, address: int | None) -> bool:
        """Whether the function at @address, or one that it calls, goes through GS."""
        return any(body.uses_gs for body in self._near(address))

    def _near(self, address: int | None, depth: int = 3) -> Iterator[Body]:
        """Yield the function at @address, those that it calls, and those that these call."""
        if address is None or depth == 0 or not self._image.is_code(address):
            return
        body = self.body(address)
        yield body
        for callee in body.calls:
            yield from self._near(callee, depth - 1)

    def vector_user(self, address: int | None) -> tuple[int | None, bool]:
        """Return the address of an instruction that changes XMM or YMM registers and that a call
        to @address can reach, or None; and whether all that it can reach is known."""
        if address not in self._vector_users:
            self._vector_users[address] = self._vector_user(address)
        return self._vector_users[address]

    def _vector_user(self, address: int | None) -> tuple[int | None, bool]:
        if address is None or not self._image.is_code(address):
            return None, False
        seen, pending, complete = set(), [address], True
        while pending:
            function = pending.pop()
            if function in seen:
                continue
            if len(seen) > CLOSURE_LIMIT:
                return None, False
            seen.add(function)
            if not self._image.is_code(function):
                complete = False
                continue
            body = self.body(function)
            if body.vector_registers is not None:
                return body.vector_registers, complete
            complete = complete and not body.indirect
            pending += body.calls
        return None, complete


class _Scan:
    """Walks the instructions of one function, following its jumps."""

    def __init__(self, decoder: Decoder, image: Image, address: int) -> None:
        self._decoder = decoder
        self._image = image
        self._start = address
        symbol = image.symbol_at(address)
        self._end = symbol.address + symbol.size if symbol and symbol.size else None
        self._pushed: set[str] = set()
        self._popped: set[str] = set()
        self._written: set[str] = set()
        self._frame_stores = 0
        self._result = Body(set(), set(), set(), False, False, False, None, False, False)

    def body(self) -> Body:
        """Return what has been seen after all paths were walked."""
        pending, seen = [(self._start, 0)], set()
        while pending and len(seen) < LIMIT * 10:
            address, depth = pending.pop()
            while address not in seen and len(seen) < LIMIT * 10:
                seen.add(address)
                instruction = self._decoder.at(address)
                if instruction is None:
                    break
                self._note(instruction, depth)
                if instruction.kind in (Kind.RETURN, Kind.IRETQ, Kind.IRET32, Kind.SYSRET):
                    self._note_return(instruction, depth)
                    break
                if instruction.kind is Kind.TRAP and instruction.mnemonic.startswith("ud"):
                    break
                depth += stack_change(instruction)
                address = self._follow(instruction, depth, pending)
        result = self._result
        result.saves = self._pushed & self._popped & set(CALLER_SAVED)
        result.clobbers = (self._written & set(CALLER_SAVED)) - result.saves
        result.is_assembly = result.is_assembly or self._frame_stores >= 8
        return result

    def _follow(self, instruction: Instruction, depth: int, pending: list) -> int:
        """Return where execution goes on; note other ways in @pending."""
        mnemonic = instruction.mnemonic.split()[-1]
        if instruction.kind is Kind.CALL:
            target = self._decoder.target(instruction)
            if target is None:
                self._result.indirect = True
            else:
                self._result.calls.add(target)
                if self._image.starts_function(instruction.end) or (
                    self._end is not None and instruction.end >= self._end
                ):
                    return -1  # a call that does not return ends its function
        if instruction.kind is Kind.JUMP:
            self._result.indirect = True
            return -1
        if mnemonic == "jmp":
            target = self._decoder.target(instruction)
            inside = self._end is None or self._start <= target < self._end
            if inside and not (target != self._start and self._image.starts_function(target)):
                return target
            self._result.calls.add(target)
            self._result.returns = True
            return -1
        if mnemonic.startswith("j") or mnemonic.startswith("loop"):
            target = self._decoder.target(instruction)
            if target is not None:
                pending.append((target, depth))
        return instruction.end

    def _note(self, instruction: Instruction, depth: int) -> None:
        result, detail = self._result, instruction.detail
        name = instruction.mnemonic.split()[-1]
        if instruction.kind in (Kind.IRETQ, Kind.IRET32, Kind.SWAPGS, Kind.SYSRET):
            result.is_assembly = True
        result.sets_gs = result.sets_gs or name in ("swapgs", "wrgsbase", "wrmsr")
        if detail is None:
            return
        operands = detail.operands
        result.uses_gs = result.uses_gs or any(
            o.type == x86.X86_OP_MEM and o.mem.segment == x86.X86_REG_GS for o in operands
        )
        first = _register(detail, operands[0]) if operands else None
        if name == "pop" and depth <= 0:
            result.is_assembly = True  # takes its own return address
        if instruction.kind is Kind.STACK_LOAD and name == "mov" and depth == 0:
            if not operands[1].type == x86.X86_OP_REG:
                result.is_assembly = True  # changes to another stack
        if name == "push" and first:
            self._pushed.add(first)
        elif name == "pop" and first:
            self._popped.add(first)
        elif name == "mov" and operands[0].type == x86.X86_OP_MEM:
            if operands[0].mem.base == x86.X86_REG_RSP and operands[0].mem.disp > depth:
                self._frame_stores += 1
        if name != "pop":
            self._written |= _written(detail)
        if result.vector_registers is None and _changes_vectors(detail):
            result.vector_registers = instruction.address

    def _note_return(self, instruction: Instruction, depth: int) -> None:
        self._result.returns = True
        if instruction.kind is Kind.RETURN and depth > 0 and "rbp" not in self._pushed:
            self._result.is_assembly = True  # leaves on the stack what it pushed


def _register(detail: object, operand: object) -> str | None:
    if operand.type != x86.X86_OP_REG:
        return None
    name = detail.reg_name(operand.reg)
    return WIDE.get(name, name)


def _written(detail: object) -> set[str]:
    _, written = detail.regs_access()
    names = {detail.reg_name(register) for register in written}
    return {WIDE.get(name, name) for name in names}


def _changes_vectors(detail: object) -> bool:
    """Whether an XMM, YMM or ZMM register is the first operand: who only stores them, as the
    prologues of variadic functions do, leaves them as they are."""
    if detail.mnemonic in ("vzeroupper", "vzeroall"):
        return True
    first = detail.operands[0] if detail.operands else None
    return first is not None and first.type == x86.X86_OP_REG and (
        detail.reg_name(first.reg)[:3] in ("xmm", "ymm", "zmm")
    )


def stack_change(instruction: Instruction) -> int:
    """Return by how many bytes the stack grows, as far as a constant tells."""
    detail, name = instruction.detail, instruction.mnemonic
    if detail is None:
        return 0
    if name in ("push", "pushfq"):
        return 8
    if name in ("pop", "popfq"):
        return -8
    operands = detail.operands
    if name in ("sub", "add") and operands[0].type == x86.X86_OP_REG:
        if operands[0].reg == x86.X86_REG_RSP and operands[1].type == x86.X86_OP_IMM:
            return operands[1].imm if name == "sub" else -operands[1].imm
    if name == "leave" or (instruction.kind is Kind.STACK_LOAD):
        return 1 << 20  # back to the frame pointer: no longer known, and not at the return address
    return 0
