"""Gates: reading an IDT and checking every gate against the machine that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lint.architecture import (
    BREAKPOINT,
    DOUBLE_FAULT,
    GATE_SIZE,
    MACHINE_CHECK,
    MNEMONICS,
    NMI,
    OVERFLOW,
    VECTOR_COUNT,
    VECTORS_WITH_CODE,
    is_canonical,
)
from lint.checks.finding import Finding
from lint.checks.rules import RULES
from lint.engine.trace import Entry
from lint.errors import CannotRun
from lint.load.image import Image
from lint.load.paging import PageWalker

INTERRUPT_GATE, TRAP_GATE = 0xE, 0xF  # SDM vol. 3, table 3-2

# What every CPU can raise; the others came later or never.
RAISED = (*range(9), *range(10, 15), *range(16, 20))

# SDM vol. 3, 3.4.5: bits of a code segment descriptor.
SEGMENT_P, SEGMENT_S, SEGMENT_CODE = 1 << 47, 1 << 44, 1 << 43
SEGMENT_L, SEGMENT_D = 1 << 53, 1 << 54

TSS_LIMIT = 0x67
SMALL_STACK, SMALLEST_STACK = 4096, 1024


@dataclass(frozen=True)
class Gate:
    """One gate of the IDT. SDM vol. 3, figure 6-8."""

    vector: int
    offset: int
    selector: int
    ist: int
    type: int
    dpl: int
    present: bool
    reserved: int  # all that must be 0


@dataclass
class SystemTables:
    """What gates refer to."""

    walker: PageWalker
    idt_limit: int
    gdt: list[int]
    tss_limit: int | None
    rsp0: int = 0
    ist: list[int] = field(default_factory=list)  # IST1 first
    smep: bool = False
    syscall: bool = False


def gates_in(data: bytes) -> list[Gate]:
    """Return the gates in @data, present or not."""
    gates = []
    for vector in range(min(len(data) // GATE_SIZE, VECTOR_COUNT)):
        low, high = (
            int.from_bytes(data[vector * GATE_SIZE + at : vector * GATE_SIZE + at + 8], "little")
            for at in (0, 8)
        )
        gates.append(
            Gate(
                vector,
                low & 0xFFFF | low >> 32 & 0xFFFF0000 | (high & 0xFFFFFFFF) << 32,
                low >> 16 & 0xFFFF,
                low >> 32 & 7,
                low >> 40 & 0xF,
                low >> 45 & 3,
                bool(low >> 47 & 1),
                low >> 35 & 0x1F | (low >> 44 & 1) << 5 | high >> 32,
            )
        )
    return gates


def parse_idt(data: bytes) -> list[Gate]:
    """Return the gates of the IDT in @data."""
    gates = gates_in(data)
    if not any(gate.present for gate in gates):
        raise CannotRun("no gate of this IDT is present: was it read too early, or elsewhere?")
    return gates


def entries_of(gates: list[Gate], image: Image) -> tuple[list[Entry], list[Finding]]:
    """Return the stubs that present gates name, and what is wrong with the gates themselves."""
    entries, findings = [], []
    for gate in gates:
        if not gate.present:
            continue
        findings += _check_shape(gate)
        if not is_canonical(gate.offset):
            findings.append(_finding("gate-offset", gate, "the offset is not canonical"))
        elif not image.is_code(gate.offset):
            findings.append(
                _finding("gate-offset", gate, "no executable memory is at the offset")
            )
        else:
            name = image.describe(gate.offset)
            entries.append(
                Entry(gate.vector, gate.offset, name, True, gate.dpl, gate.type == TRAP_GATE,
                      gate.ist)
            )
    if not entries:
        raise CannotRun("no gate of this IDT leads to code")
    return entries, findings


def _finding(
    rule: str, gate: Gate | None, seen: str, severity: str | None = None, pc: bool = True
) -> Finding:
    return Finding(
        rule,
        severity or RULES[rule].severity,
        gate.vector if gate else None,
        seen,
        RULES[rule].duty,
        pc=gate.offset if gate and pc else None,
    )


def _check_shape(gate: Gate) -> Iterator[Finding]:
    if gate.type not in (INTERRUPT_GATE, TRAP_GATE):
        yield _finding("gate-type", gate, f"the type is {gate.type:#x}")
    elif gate.reserved:
        yield _finding("gate-type", gate, "reserved bits are set")
    if gate.type == TRAP_GATE and gate.vector == NMI:
        yield _finding("gate-type", gate, "NMI goes through a trap gate", "LATENT")
    called = (BREAKPOINT, OVERFLOW)
    if gate.dpl == 3 and gate.vector in MNEMONICS and gate.vector not in called:
        with_code = gate.vector in VECTORS_WITH_CODE
        yield _finding(
            "gate-dpl",
            gate,
            "ring 3 may raise this exception by INT n"
            + (", without its code" if with_code else ""),
            "ERROR" if with_code else None,
        )
    if gate.dpl in (1, 2):
        yield _finding("gate-dpl", gate, f"the DPL is {gate.dpl}")


def check_gates(gates: list[Gate], tables: SystemTables) -> list[Finding]:
    """Return what is wrong with @gates that refer to @tables."""
    findings = list(_check_limit(gates, tables))
    for gate in gates:
        if gate.present:
            findings += _check_selector(gate, tables)
            findings += _check_page(gate, tables)
    findings += _check_missing(gates)
    findings += _check_tss(gates, tables)
    findings += _check_stacks(gates, tables)
    return findings


def _check_limit(gates: list[Gate], tables: SystemTables) -> Iterator[Finding]:
    size = tables.idt_limit + 1
    if size % GATE_SIZE == 1:
        severity = "LATENT"
    elif size % GATE_SIZE:
        severity = "ERROR"
    else:
        severity = "INFO" if size != VECTOR_COUNT * GATE_SIZE else None
    if severity:
        seen = f"the limit is {tables.idt_limit:#x}: {size / GATE_SIZE:g} gates"
        yield _finding("idt-limit", None, seen, severity)


def _check_selector(gate: Gate, tables: SystemTables) -> Iterator[Finding]:
    index = gate.selector >> 3
    if gate.selector & 4 or not 0 < index < len(tables.gdt):
        yield _finding("gate-selector", gate, f"selector {gate.selector:#x} is not in the GDT")
        return
    descriptor = tables.gdt[index]
    wrong = []
    if not descriptor & SEGMENT_P:
        wrong.append("is not present")
    if not descriptor & SEGMENT_S or not descriptor & SEGMENT_CODE:
        wrong.append("is no code segment")
    if not descriptor & SEGMENT_L or descriptor & SEGMENT_D:
        wrong.append("is not 64-bit")
    if descriptor >> 45 & 3:
        wrong.append(f"has DPL {descriptor >> 45 & 3}")
    if wrong:
        yield _finding(
            "gate-selector", gate, f"selector {gate.selector:#x} {' and '.join(wrong)}"
        )


def _check_page(gate: Gate, tables: SystemTables) -> Iterator[Finding]:
    page = tables.walker.walk(gate.offset) if is_canonical(gate.offset) else None
    if page is None or not page.executable:
        return  # said already
    if page.user and tables.smep:
        yield _finding("gate-offset", gate, "the handler's page is the user's, and SMEP is on")
    elif page.user:
        yield _finding("gate-offset", gate, "the handler's page is open to ring 3", "LATENT")
    if page.writable:
        yield _finding("handler-writable", gate, "the handler's page is writable")


def _check_missing(gates: list[Gate]) -> Iterator[Finding]:
    present = {gate.vector for gate in gates if gate.present}
    for vector in RAISED:
        if vector not in present:
            yield Finding(
                "gate-missing", RULES["gate-missing"].severity, vector, "no gate is present",
                RULES["gate-missing"].duty,
            )  # fmt: skip


def _check_tss(gates: list[Gate], tables: SystemTables) -> Iterator[Finding]:
    needed = any(gate.present and gate.ist for gate in gates)
    if tables.tss_limit is None:
        if needed:
            yield _finding("tss-missing", None, "gates name IST stacks, and TR is not loaded")
    elif tables.tss_limit < TSS_LIMIT and needed:
        yield _finding("tss-missing", None, f"the TSS's limit is {tables.tss_limit:#x}")


def _check_stacks(gates: list[Gate], tables: SystemTables) -> Iterator[Finding]:
    by_vector = {gate.vector: gate for gate in gates if gate.present}
    if (fault := by_vector.get(DOUBLE_FAULT)) and not fault.ist:
        yield _finding("double-fault-stack", fault, "the IST field is 0", pc=False)
    for vector in (NMI, MACHINE_CHECK):
        gate = by_vector.get(vector)
        if gate and not gate.ist and tables.syscall:
            yield _finding("nmi-stack", gate, "the IST field is 0, and SYSCALL is on", pc=False)
    if not tables.ist:
        return
    used = {gate.ist for gate in by_vector.values() if gate.ist}
    tops = {f"IST{n}": tables.ist[n - 1] for n in sorted(used)}
    for gate in by_vector.values():
        if gate.ist:
            yield from _check_top(gate, tables)
    if tables.rsp0:
        tops["RSP0"] = tables.rsp0
    yield from _check_distances(tops)
    yield from _check_shared(by_vector, tables)


def _check_top(gate: Gate, tables: SystemTables) -> Iterator[Finding]:
    top = tables.ist[gate.ist - 1]
    name = f"IST{gate.ist} ({top:#x})"
    if not is_canonical(top) or top == 0:
        yield _finding("ist-stack", gate, f"{name} is no address of a stack", pc=False)
        return
    page = tables.walker.walk((top & ~15) - 8)
    if page is None:
        yield _finding("ist-stack", gate, f"no memory is mapped below {name}", pc=False)
    elif not page.writable:
        yield _finding("ist-stack", gate, f"the page below {name} is read-only", pc=False)
    if top % 16:
        yield _finding("ist-misaligned", gate, f"{name} is no multiple of 16", pc=False)


def _check_distances(tops: dict[str, int]) -> Iterator[Finding]:
    ordered = sorted(tops.items(), key=lambda item: item[1])
    for (low_name, low), (high_name, high) in zip(ordered, ordered[1:]):
        if 0 < high - low < SMALL_STACK:
            yield _finding(
                "ist-overlap",
                None,
                f"{high_name} has {high - low} bytes before it meets {low_name}",
                None if high - low < SMALLEST_STACK else "LATENT",
            )


def _check_shared(by_vector: dict[int, Gate], tables: SystemTables) -> Iterator[Finding]:
    for vector in (NMI, DOUBLE_FAULT, MACHINE_CHECK):
        gate = by_vector.get(vector)
        if not gate or not gate.ist:
            continue
        top = tables.ist[gate.ist - 1]
        others = [
            other.vector
            for other in by_vector.values()
            if other.ist and other.vector != vector and tables.ist[other.ist - 1] == top
        ]
        if others:
            yield _finding(
                "ist-shared",
                gate,
                f"the IST stack is that of vector{'s' if len(others) > 1 else ''}"
                f" {', '.join(map(str, others[:6]))}{', ...' if len(others) > 6 else ''} too",
                "ERROR" if vector == NMI else None,
                pc=False,
            )
