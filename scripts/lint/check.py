"""The contract, checked on one run of one stub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lint.architecture import (
    CALLER_SAVED,
    GENERAL,
    RFLAGS_AC,
    RFLAGS_DF,
    RFLAGS_IF,
    is_canonical,
)
from lint.callee import Judge
from lint.disasm import Decoder
from lint.finding import Finding
from lint.image import Image
from lint.rules import RULES
from lint.trace import Call, Moment, Trace, Write
from lint.values import KERNEL_GS, STACK_BASE, STACK_SIZE, USER_GS
from lint.vectors_in_c import VectorUse

# Stores that go below RSP because that is what they are for.
PUSHES = ("push", "pushfq", "pushf", "call", "enter")


@dataclass
class Context:
    """What a check must know beyond the run."""

    image: Image
    decoder: Decoder
    judge: Judge
    vector_use: VectorUse
    smap: bool
    swaps_gs: bool  # whether any stub of the kernel does
    shifts: dict[tuple[int, bool], int]  # by vector and code: how far C's frame is off
    twice: set[int]  # the IRETQs before which the error code is dropped twice


class Checker:
    """Judges runs."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def check(self, trace: Trace) -> list[Finding]:
        """Return what is wrong with @trace."""
        self._trace = trace
        found = list(self._check_calls())
        found += self._check_stores()
        found += self._check_end()
        return found

    def _finding(
        self, rule: str, seen: str, moment: Moment | None = None, severity: str | None = None
    ) -> Finding:
        entry = self._trace.entry
        return Finding(
            rule,
            severity or RULES[rule].severity,
            entry.vector,
            seen,
            RULES[rule].duty,
            entry.name,
            moment.pc if moment else entry.address,
            moment,
            self._trace,
        )

    def _name(self, value: int | None) -> str:
        """Return @value in words."""
        trace = self._trace
        if value is None:
            return "nothing"
        if value in trace.values.names:
            return trace.values.names[value]
        if value and value == trace.entry.vector:
            return "the vector"
        if STACK_BASE <= value < STACK_BASE + STACK_SIZE:
            return "an address on the stack"
        if value == USER_GS:
            return "the user's GS base"
        if self._context.image.is_code(value):
            return f"the address of {self._context.image.describe(value)}"
        return f"{value:#x}"

    # At the call of C.

    def _check_calls(self) -> Iterator[Finding]:
        for call in self._trace.calls:
            moment, name = call.moment, call.callee.name
            if call.misalignment:
                yield self._finding(
                    "stack-misaligned",
                    f"{name} is called with RSP mod 16 = {call.misalignment}",
                    moment,
                )
            if moment.rflags & RFLAGS_DF:
                yield self._finding("df-set", f"{name} is called with DF set", moment)
            if self._context.smap and moment.rflags & RFLAGS_AC:
                yield self._finding("ac-set", f"{name} is called with AC set", moment)
            yield from self._check_gs(call)

    def _check_gs(self, call: Call) -> Iterator[Finding]:
        trace, moment = self._trace, call.moment
        if not self._context.swaps_gs or trace.gs_loads:
            return
        if moment.gs != USER_GS:
            return
        if trace.variant.ring == 3:
            yield self._finding(
                "swapgs-missing",
                f"{call.callee.name} is called with the user's GS base after a trap from ring 3",
                moment,
            )
        elif trace.variant.user_gs:
            yield self._finding(
                "swapgs-paranoid",
                f"{call.callee.name} is called with the user's GS base when the trap comes"
                " between an entry from ring 3 and its SWAPGS",
                moment,
            )
        else:
            yield self._finding(
                "swapgs-from-ring-0",
                f"SWAPGS has been executed on a trap from ring 0: {call.callee.name} is called"
                " with the user's GS base",
                trace.swapgs[-1] if trace.swapgs else moment,
            )

    # Stores and privileged instructions on the way.

    def _check_stores(self) -> Iterator[Finding]:
        trace = self._trace
        for write in trace.writes:
            if not STACK_BASE <= write.address < STACK_BASE + STACK_SIZE:
                continue
            mnemonic = self._mnemonic(write.pc)
            if write.address + write.size > trace.values.top:
                yield self._at_write(
                    "write-above-frame",
                    f"`{self._text(write.pc)}` writes {write.address - trace.values.top + 8} bytes"
                    " above the frame's ss, into the interrupted program's stack",
                    write,
                )
            elif write.address < write.rsp and mnemonic not in PUSHES:
                yield self._at_write(
                    "write-below-rsp", f"`{self._text(write.pc)}` stores below RSP", write
                )
        for moment in trace.swapgs:
            if moment.rflags & RFLAGS_IF:
                yield self._finding(
                    "swapgs-interruptible", "SWAPGS is executed with interrupts on", moment
                )
        for moment in trace.gs_loads:
            yield self._finding(
                "gs-selector-loaded",
                f"`{self._text(moment.pc)}` sets the GS base from a descriptor",
                moment,
                None if self._context.swaps_gs else "LATENT",
            )
        for pc, _ in trace.user_accesses:
            yield self._finding(
                "gs-user-access",
                f"`{self._text(pc)}` goes through the user's GS base",
                self._moment_like(pc),
            )
        yield from self._check_sti()

    def _check_sti(self) -> Iterator[Finding]:
        trace = self._trace
        first_call = trace.calls[0].moment.position if trace.calls else len(trace.path)
        for moment in trace.sti:
            kept = {moment.word(a) for a in range(moment.stack_base, trace.frame_address, 8)}
            unsaved = [n for n in CALLER_SAVED if trace.values.registers[n] not in kept]
            if moment.position < first_call and unsaved:
                yield self._finding(
                    "early-sti", "STI comes before the registers are saved", moment
                )

    def _at_write(
        self, rule: str, seen: str, write: Write, severity: str | None = None
    ) -> Finding:
        moment = self._moment_like(write.pc, write.position)
        return self._finding(rule, seen, moment, severity)

    def _moment_like(self, pc: int, position: int | None = None) -> Moment:
        """Return the final state, placed at @pc: good enough to show where it was."""
        end = self._trace.end.moment
        path = self._trace.path
        if position is None:
            position = path.index(pc) if pc in path else len(path)
        return Moment(pc, position, end.registers, end.rflags, end.gs, 0, b"")

    def _text(self, pc: int) -> str:
        instruction = self._context.decoder.at(pc)
        return " ".join(instruction.text.split()) if instruction else "?"

    def _mnemonic(self, pc: int) -> str:
        instruction = self._context.decoder.at(pc)
        return instruction.mnemonic if instruction else ""

    # The end.

    def _check_end(self) -> Iterator[Finding]:
        end = self._trace.end
        check = getattr(self, f"_end_{end.kind}")
        yield from check(end.moment, end.value)

    def _end_iretq(self, moment: Moment, _value: int) -> Iterator[Finding]:
        returned = moment.rsp == self._trace.frame_address or self._is_copy(moment)
        if returned:
            yield from self._check_frame(moment)
        else:
            yield from self._check_return_address(moment)
        yield from self._check_registers(moment)
        yield from self._check_vectors(moment)
        yield from self._check_final_gs(moment)

    def _end_iret32(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self._finding(
            "return-by-iret", f"the stub returns by a 32-bit `{self._text(moment.pc)}`", moment
        )
        yield from self._check_registers(moment)

    def _end_return(self, moment: Moment, value: int) -> Iterator[Finding]:
        yield self._finding(
            "return-by-ret",
            f"the stub ends in `ret`, which takes {self._slot_name(moment, value)} for a return"
            " address",
            moment,
        )

    def _end_tail(self, moment: Moment, value: int) -> Iterator[Finding]:
        callee = self._trace.calls[-1].callee.name
        yield self._finding(
            "return-by-ret",
            f"{callee} is entered by a jump: its `ret` takes {self._slot_name(moment, value)}"
            " for a return address",
            moment,
        )

    def _slot_name(self, moment: Moment, value: int) -> str:
        if value in self._trace.values.frame.values():
            for name, slot in self._trace.values.frame.items():
                if slot == value:
                    return f"the frame's {name}"
        return self._name(value)

    def _end_sysret(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self._finding(
            "not-judged", f"the stub returns by `{self._text(moment.pc)}`", moment
        )

    def _end_lost(self, moment: Moment, value: int) -> Iterator[Finding]:
        where = "a null pointer" if value == 0 else self._name(value)
        yield self._finding(
            "execution-lost", f"execution goes to {where}, where no code is", moment
        )

    def _end_invalid(self, moment: Moment, _value: int) -> Iterator[Finding]:
        instruction = self._context.decoder.at(moment.pc)
        path = self._trace.path
        if instruction is not None and (not path or moment.pc == path[-1]):
            yield self._finding(
                "not-judged", f"the emulator does not know `{self._text(moment.pc)}`", moment
            )
        else:
            yield self._finding(
                "invalid-instruction", "execution runs into bytes that are no instruction", moment
            )

    def _end_wild(self, moment: Moment, value: int) -> Iterator[Finding]:
        names = self._trace.values.names
        near = next((names[value - d] for d in range(-256, 257) if value - d in names), None)
        what = f"{near} as an address" if near else self._address_kind(value)
        yield self._finding("wild-access", f"`{self._text(moment.pc)}` uses {what}", moment)

    @staticmethod
    def _address_kind(value: int) -> str:
        return "an unmapped address" if is_canonical(value) else "a non-canonical address"

    def _end_exception(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self._finding(
            "exception-in-stub", f"`{self._text(moment.pc)}` raises an exception", moment
        )

    def _end_misaligned(self, moment: Moment, value: int) -> Iterator[Finding]:
        yield self._finding(
            "operand-misaligned",
            f"`{self._text(moment.pc)}` is executed with its operand at mod 16 = {value % 16}",
            moment,
        )

    def _end_halt(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self._finding("never-returns", "the stub halts the CPU", moment)

    def _end_budget(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self._finding("never-returns", "the stub loops and does not return", moment)

    def _end_trap(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self._finding(
            "never-returns", f"the stub ends in `{self._text(moment.pc)}`", moment
        )

    def _end_noreturn(self, moment: Moment, _value: int) -> Iterator[Finding]:
        callee = self._trace.calls[-1].callee.name
        yield self._finding("never-returns", f"{callee} is called and does not return", moment)

    def _end_switch(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self._finding(
            "stack-switched", f"`{self._text(moment.pc)}` loads RSP from memory", moment
        )

    def _end_unsupported(self, moment: Moment, _value: int) -> Iterator[Finding]:
        yield self._finding(
            "not-judged", f"the emulator does not know `{self._text(moment.pc)}`", moment
        )

    # At IRETQ.

    def _is_copy(self, moment: Moment) -> bool:
        """Whether RSP is at a copy of the frame, such as on a stack just for the return."""
        frame = list(self._trace.values.frame.values())
        return [moment.word(moment.rsp + 8 * slot) for slot in range(5)] == frame

    def _check_frame(self, moment: Moment) -> Iterator[Finding]:
        for slot, (name, value) in enumerate(self._trace.values.frame.items()):
            now = moment.word(moment.rsp + 8 * slot)
            if now == value:
                continue
            address = moment.rsp + 8 * slot
            writer = next(
                (w for w in reversed(self._trace.writes)
                 if w.address <= address + 7 and w.address + w.size > address), None
            )  # fmt: skip
            if writer and self._mnemonic(writer.pc) in PUSHES:
                yield self._at_write(
                    "frame-overwritten",
                    f"`{self._text(writer.pc)}` overwrites the frame's {name}",
                    writer,
                )
            elif writer:
                yield self._at_write(
                    "frame-rewritten",
                    f"`{self._text(writer.pc)}` changes the frame's {name}",
                    writer,
                    "INFO" if name == "rip" else None,
                )

    def _check_return_address(self, moment: Moment) -> Iterator[Finding]:
        trace = self._trace
        delta = moment.rsp - trace.frame_address
        has_code = trace.variant.has_code
        shift = self._context.shifts.get((trace.entry.vector, has_code), 0)
        at_rsp = self._slot_name(moment, moment.word(moment.rsp) or 0)
        seen = f"{_distance(delta)}: it takes {at_rsp} for rip"
        a_code = has_code or moment.word(moment.rsp) == 0
        if delta == 8 and moment.pc in self._context.twice and not shift:
            rule = "code-dropped-twice"
        elif a_code and delta == -8:
            rule = "dummy-code-extra" if shift == 8 else "code-not-dropped"
        elif has_code and delta == -16 or not has_code and shift == 8:
            rule = "dummy-code-extra"
        elif not has_code and delta == 8:
            rule = "dummy-code-missing"
        else:
            rule = "return-off-frame"
        if shift and trace.calls:
            seen += (
                f"; and {trace.calls[0].callee.name} receives a frame that is {abs(shift)} bytes"
                f" {'longer' if shift > 0 else 'shorter'} than other vectors'"
            )
        yield self._finding(rule, f"IRETQ is executed with RSP {seen}", moment)

    def _check_registers(self, moment: Moment) -> Iterator[Finding]:
        trace = self._trace
        before, now = trace.values.registers, moment.registers
        wrong = [name for name in GENERAL if now[name] != before[name]]
        if not wrong or trace.variant.c_returns_rsp and not trace.calls:
            return
        if wrong == ["rax"] and self._is_result(moment):
            yield self._finding("rax-returned", "RAX comes back as C's return value", moment)
            return
        unsaved = [n for n in wrong if now[n] == trace.values.c_registers[n]]
        lucky = [n for n in unsaved if n not in self._clobbered()]
        if unsaved and self._compiler_knows_an_unseen_callee():
            lucky = unsaved
        if lucky and not self._compiler_knows():
            yield self._finding(
                "register-luck",
                f"{_list(lucky)} not saved; the C functions called happen not to change"
                f" {'it' if len(lucky) == 1 else 'them'}",
                moment,
            )
        wrong = [name for name in wrong if name not in lucky]
        mixed = [n for n in wrong if any(now[n] == before[m] for m in GENERAL)]
        if mixed:
            pairs = ", ".join(f"{n} <- {self._register(now[n])}" for n in mixed)
            yield self._finding("registers-swapped", f"registers come back mixed up: {pairs}",
                                moment)  # fmt: skip
        lost = [name for name in wrong if name not in mixed]
        if lost:
            texts = [f"{n} <- {self._slot_name(moment, now[n])}" for n in lost]
            if all(n in unsaved for n in lost):
                texts = [f"{_list(lost)} as C left {'it' if len(lost) == 1 else 'them'}"]
            yield self._finding(
                "register-lost", "registers come back changed: " + ", ".join(texts), moment
            )

    def _register(self, value: int) -> str:
        return next(n for n, v in self._trace.values.registers.items() if v == value)

    def _is_result(self, moment: Moment) -> bool:
        """Whether RAX holds what C returned, and the gate is one for system calls."""
        entry, values = self._trace.entry, self._trace.values
        is_call = entry.dpl == 3 or entry.vector == 0x80 or "syscall" in entry.name.lower()
        return is_call and moment.registers["rax"] == values.c_registers["rax"]

    def _clobbered(self) -> set[str]:
        judge = self._context.judge
        lost: set[str] = set()
        for call in self._trace.calls:
            address = call.callee.address
            lost |= set(CALLER_SAVED) if address is None else judge.clobbers(address)
        return lost

    def _compiler_knows(self) -> bool:
        """Whether the callees restore caller-saved registers by the compiler's attribute, or the
        handler itself is of the compiler's making."""
        judge, debug = self._context.judge, self._context.image.debug
        if debug and debug.function(self._trace.entry.address):
            return True
        return any(judge.saves_everything(call.callee.address) for call in self._trace.calls)

    def _compiler_knows_an_unseen_callee(self) -> bool:
        """Whether a compiled handler calls what is in another object: it has seen the callee's
        declaration, and with it no_caller_saved_registers."""
        image = self._context.image
        compiled = image.debug and image.debug.function(self._trace.entry.address)
        return bool(compiled) and any(
            call.callee.address in image.externs for call in self._trace.calls
        )

    def _check_vectors(self, moment: Moment) -> Iterator[Finding]:
        trace, values = self._trace, self._trace.values
        low = (1 << 128) - 1
        after = [value & low for value in trace.end.vectors]
        lost = [n for n in range(16) if after[n] != values.vectors[n]]
        by_c = [n for n in lost if trace.variant.c_uses_vectors and after[n] == values.c_vectors[n]]
        by_stub = [n for n in lost if n not in by_c]
        if by_stub:
            names = _list([f"xmm{n}" for n in by_stub])
            yield self._finding("vector-register-lost", f"{names} changed by the stub", moment)
        if by_c:
            names = "xmm0-xmm15 are" if len(by_c) == 16 else _list([f"xmm{n}" for n in by_c])
            severity, why = self._context.vector_use.explain(trace.calls)
            if severity:
                yield self._finding("sse-unsaved", f"{names} not saved; {why}", moment, severity)

    def _check_final_gs(self, moment: Moment) -> Iterator[Finding]:
        trace = self._trace
        due = USER_GS if trace.variant.user_gs else KERNEL_GS
        if moment.gs == due or trace.gs_loads:
            return
        if trace.variant.ring == 0 and trace.variant.user_gs:
            yield self._finding(
                "swapgs-paranoid",
                "the stub does not give GS back as it was when the trap comes between an entry"
                " from ring 3 and its SWAPGS",
                moment,
            )
            return
        whose = "the kernel's" if moment.gs == KERNEL_GS else "the user's"
        yield self._finding(
            "swapgs-unbalanced",
            f"the return to ring {trace.variant.ring} is made with {whose} GS base",
            moment,
        )


def _distance(delta: int) -> str:
    return f"{abs(delta)} bytes {'above' if delta > 0 else 'below'} the frame"


def _list(names: list[str]) -> str:
    """Return such as "rax is" or "rax, rcx and r8 are"."""
    if len(names) == 1:
        return f"{names[0]} is"
    return f"{', '.join(names[:-1])} and {names[-1]} are"


