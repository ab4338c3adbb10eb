"""Comparing the fields of the C struct, and parameters, with what the stub really passes."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from lint.architecture import ARGUMENTS, GENERAL
from lint.checks.cross import at_call, calls_by_callee, frame_distance
from lint.checks.finding import Finding
from lint.engine.trace import Call, Trace
from lint.load.dwarf import Debug, Function, Member, Parameter

# What kernels call the slots that are no general register.
SLOTS = {
    "rip": ("rip", "eip", "ip", "pc", "instruction_pointer"),
    "cs": ("cs", "code_segment"),
    "rflags": ("rflags", "eflags", "flags", "cpu_flags"),
    "rsp": ("rsp", "user_rsp", "userrsp", "rsp_user", "old_rsp", "useresp", "sp",
            "stack_pointer"),
    "ss": ("ss", "user_ss", "stack_segment"),
    "code": ("error_code", "err_code", "errcode", "error", "err", "errorcode"),
    "vector": ("vector", "int_no", "interrupt_number", "intno", "int_num", "trapno", "trap_no",
               "vec", "interrupt", "int_number", "isr_number", "vector_number"),
}  # fmt: skip
MEANING = {name: slot for slot, names in SLOTS.items() for name in names}

# With fewer known names than this, a struct is no picture of the frame.
ENOUGH = 4


@functools.cache
def meaning(name: str) -> str | None:
    """Return which slot a field called @name is for, None if its name does not say."""
    plain = name.lower().lstrip("_")
    if plain in GENERAL:
        return plain
    if plain in ("ax", "bx", "cx", "dx", "si", "di", "bp"):
        return f"r{plain}"
    return MEANING.get(plain)


def check_fields(
    traces: list[Trace], debug: Debug | None, shifts: dict[tuple[int, bool], int]
) -> Iterator[Finding]:
    """Yield findings on structs and parameters, as far as DWARF knows them."""
    if debug is None:
        return
    for group in calls_by_callee(traces):
        address = group[0][1].callee.address
        function = debug.function(address) if address is not None else None
        if function is None:
            continue
        for trace, call in group:
            if not shifts.get((trace.entry.vector, trace.variant.has_code)):
                yield from _check_call(trace, call, function)


def _check_call(trace: Trace, call: Call, function: Function) -> Iterator[Finding]:
    register = 0
    for parameter in function.parameters:
        by_value = not parameter.is_pointer and parameter.size > 16
        if parameter.members:
            base = call.moment.rsp if by_value else call.moment.registers[ARGUMENTS[register]]
            if len(_known(parameter)) >= ENOUGH:
                yield from _check_struct(trace, call, parameter, base)
                if by_value:
                    seen = f"{function.name} takes the frame `{parameter.name}` by value"
                    yield at_call("struct-by-value", trace, call, seen)
        elif parameter.size <= 8:
            yield from _check_parameter(trace, call, function, parameter, ARGUMENTS[register])
        if not by_value:
            register += 1
        if register == len(ARGUMENTS):
            break


def _known(parameter: Parameter) -> list[tuple[Member, str]]:
    return [(m, what) for m in parameter.members if (what := meaning(m.name))]


def _check_struct(trace: Trace, call: Call, parameter: Parameter, base: int) -> Iterator[Finding]:
    distance = frame_distance(trace, call)
    if distance is None or not call.moment.stack_base <= base <= trace.frame_address:
        return
    for member, what in _known(parameter):
        due = _due(trace, what)
        word = call.moment.word(base + member.offset & ~7)
        if due is None or word is None:
            continue
        value = word >> (member.offset % 8 * 8)
        mask = (1 << 8 * min(member.size, 8 - member.offset % 8)) - 1
        if value & mask != due & mask:
            words = _in_words(trace, word, base + member.offset)
            seen = f"C's `{member.name}` (offset {member.offset}) is {words}"
            yield at_call("struct-field", trace, call, seen)


def _due(trace: Trace, what: str) -> int | None:
    if what == "vector":
        return trace.entry.vector if trace.entry.known else None
    if what == "code":
        return trace.values.code if trace.variant.has_code else None
    return trace.values.frame.get(what, trace.values.registers.get(what))


def _in_words(trace: Trace, word: int, address: int) -> str:
    offset = (address & ~7) - trace.frame_address
    if 0 <= offset < 40:
        return f"the frame's {list(trace.values.frame)[offset // 8]}"
    if word in trace.values.names:
        return trace.values.names[word]
    return "the vector" if word & 0xFFFFFFFF == trace.entry.vector else "another slot"


def _check_parameter(
    trace: Trace, call: Call, function: Function, parameter: Parameter, register: str
) -> Iterator[Finding]:
    what = meaning(parameter.name)
    if what not in ("vector", "code") or parameter.is_pointer:
        return
    due = _due(trace, what)
    mask = (1 << 8 * parameter.size) - 1
    value = call.moment.registers[register]
    other = {trace.entry.vector: "vector", trace.values.code: "error code"}.get(value & 0xFFFFFFFF)
    if due is not None and other and value & mask != due & mask:
        seen = f"{function.name}'s `{parameter.name}` is the {other}"
        yield at_call("struct-field", trace, call, seen)
