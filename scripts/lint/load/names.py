"""Finding the stubs of a kernel by its symbols: patterns such as isr%d, tables of pointers or of
equal strides, and the names of exceptions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from lint.architecture import VECTOR_COUNT
from lint.checks.finding import Finding
from lint.checks.rules import RULES
from lint.engine.disasm import Decoder, Kind
from lint.engine.trace import Entry
from lint.errors import CannotRun
from lint.load.image import Image, Symbol
from lint.load.mangling import identifiers, is_mangled

# What families of numbered stubs are called, as the last word before the number.
FAMILY = re.compile(
    r"(?:^|_|\b)(isr|isr_stub|irq|irq_stub|int|intr|interrupt|vector|vec|exception|exc|trap|idt"
    r"|stub|handler|interrupt_handler|int_handler|isr_handler|exception_handler|entry"
    r"|trap_entry|interrupt_entry|interrupt_stub|int_stub|isr_entry|isr_wrapper)_?(?:0x)?$",
    re.IGNORECASE,
)
IRQ = re.compile(r"irq", re.IGNORECASE)
FIRST_IRQ = 32  # where kernels put the 8259's lines, for above the exceptions
TABLE = re.compile(r"(vector|isr|stub|interrupt|handler|idt|trap|exception)", re.IGNORECASE)
OTHER = re.compile(r"interrupt|irq|isr|handler", re.IGNORECASE)
ENOUGH = 3  # stubs make a family

# Words that a handler's name has for an exception, in kernels in C and Rust.
EXCEPTION_WORDS = {
    0: ("divide_error", "divide_by_zero", "division_error", "division_by_zero", "div_by_zero",
        "div_zero", "divide"),
    1: ("debug", "single_step"),
    2: ("nmi", "non_maskable_interrupt"),
    3: ("breakpoint", "int3"),
    4: ("overflow", "into"),
    5: ("bound_range_exceeded", "bound_range", "bounds"),
    6: ("invalid_opcode", "undefined_opcode", "invalid_op"),
    7: ("device_not_available", "no_fpu"),
    8: ("double_fault",),
    10: ("invalid_tss",),
    11: ("segment_not_present", "not_present"),
    12: ("stack_segment_fault", "stack_segment", "stack_fault"),
    13: ("general_protection_fault", "general_protection", "gpf", "gp_fault",
         "protection_fault"),
    14: ("page_fault",),
    16: ("x87_floating_point", "x87_fpu", "fpu_error", "coprocessor_error"),
    17: ("alignment_check",),
    18: ("machine_check",),
    19: ("simd_floating_point", "simd_fp", "simd_exception", "simd_coprocessor_error"),
    20: ("virtualization",),
    21: ("cp_protection_exception", "control_protection"),
    29: ("vmm_communication_exception", "vmm_communication"),
    30: ("security_exception",),
}  # fmt: skip
AFFIX = re.compile(
    r"^_*(x86_|arch_|kernel_|asm_|exc_|isr_|interrupt_|exception_|handle_|on_|trap_)*"
    r"|(_handler|_isr|_interrupt|_exception|_trap|_stub|_entry|_asm|_wrapper)*$"
)


def in_braces(pattern: str) -> re.Pattern[str]:
    """Return the regular expression for a printf pattern such as "isr%d" or "vec_%02x"."""
    match = re.search(r"%0?\d*([dux])", pattern)
    if match is None:
        raise CannotRun(f"--pattern {pattern}: has no %d or %x for the vector")
    digits = "([0-9a-fA-F]+)" if match[1] == "x" else "([0-9]+)"
    before, after = pattern[: match.start()], pattern[match.end() :]
    return re.compile(f"^{re.escape(before)}{digits}{re.escape(after)}$")


def by_pattern(image: Image, pattern: str, first: int) -> list[Entry]:
    """Return the stubs whose names match a printf @pattern, @first being added to the number."""
    expression = in_braces(pattern)
    base = 16 if re.search(r"%0?\d*x", pattern) else 10
    entries = {}
    for symbol in image.symbols:
        if match := expression.match(symbol.name):
            vector = int(match[1], base) + first
            if vector < VECTOR_COUNT:
                entries[vector] = Entry(vector, symbol.address, symbol.name)
    if not entries:
        raise CannotRun(f"--pattern {pattern}: no symbol matches")
    return list(entries.values())


def by_name(image: Image, assignment: str) -> Entry:
    """Return the stub of an @assignment such as "14=page_fault_entry"."""
    vector, _, place = assignment.partition("=")
    if not vector.isdigit() or int(vector) >= VECTOR_COUNT or not place:
        raise CannotRun(f"--stub {assignment}: expected VECTOR=NAME, for example 14=page_fault")
    address = resolve(image, place)
    if not image.is_code(address):
        raise CannotRun(f"--stub {assignment}: no code is there")
    return Entry(int(vector), address, place)


def resolve(image: Image, place: str) -> int:
    """Return the address of a symbol, or of a number such as 0xffffffff80001000."""
    symbol = image.symbol(place)
    if symbol is not None:
        return symbol.address
    try:
        return int(place, 0)
    except ValueError:
        raise CannotRun(f"{place}: is no symbol of {image.name}") from None


@dataclass
class Table:
    """What --table and its companions name."""

    place: str
    stride: int
    first: int
    count: int | None

    def read(self, image: Image) -> tuple[list[Entry], list[Finding]]:
        """Return the stubs of the table, and findings on vectors that it has none for."""
        address = resolve(image, self.place)
        entries, findings = [], []
        for index in range(self._length(image, address)):
            stub, wrong = self._stub(image, address, index)
            vector = self.first + index
            if not wrong:
                entries.append(Entry(vector, stub, image.describe(stub)))
            elif self.count is not None:
                findings.append(self._finding(vector, wrong))
            elif stub:
                break
        if not entries:
            raise CannotRun(f"--table {self.place}: no stub is there")
        if self.count is None and len(entries) == VECTOR_COUNT - 1 and self.first == 0:
            findings.append(self._finding(VECTOR_COUNT - 1, "the table ends before it"))
        return entries, findings

    def _length(self, image: Image, address: int) -> int:
        """Return how many stubs to look for: no more than the array has, if its size is known."""
        longest = VECTOR_COUNT - self.first
        if self.count is not None:
            return self.count
        symbol = image.symbol_at(address)
        if self.stride or symbol is None or symbol.size < 8:
            return longest
        return min(longest, (symbol.address + symbol.size - address) // 8)

    def _stub(self, image: Image, address: int, index: int) -> tuple[int, str]:
        """Return the address of the stub at @index, and what is wrong with it. Not 0 if nothing
        that belongs to the table can follow."""
        if self.stride:
            stub = address + index * self.stride
            if not image.is_code(stub):
                return stub, "no code is at its place in the table"
            past = self.count is None and _ends(image, address, stub)
            return stub, "the table ends before it" if past else ""
        slot = address + 8 * index
        table = image.symbol_at(address)
        stub = image.read_int(slot)
        if stub is None or table and table.size > 8 and slot >= table.address + table.size:
            return slot, "the table ends before it"
        if stub == 0:
            return 0, "its entry in the table is 0"
        known = image.is_code(stub) or stub in image.externs
        return stub, "" if known else "its entry in the table leads to no code"

    @staticmethod
    def _finding(vector: int, wrong: str) -> Finding:
        rule = RULES["table-short"]
        return Finding(rule.name, rule.severity, vector, wrong, rule.duty)


def _ends(image: Image, table: int, stub: int) -> bool:
    """Whether the symbol at @table has a size, and @stub lies beyond."""
    symbol = image.symbol_at(table)
    return bool(symbol and symbol.size > 64 and stub >= symbol.address + symbol.size)


def by_names(image: Image, decoder: Decoder) -> list[Entry]:
    """Return all stubs that the symbols give away."""
    finder = _Finder(image, decoder)
    entries = finder.families()
    if len(entries) < ENOUGH:
        entries.update((entry.vector, entry) for entry in finder.tables())
    for entry in finder.exceptions(with_others=not entries):
        entries.setdefault(entry.vector, entry)
    if not entries:
        raise CannotRun(
            f"{image.name}: no interrupt stubs found by their names. Say where they are: --pattern"
            " isr%d, --table SYMBOL (of pointers), --table SYMBOL --stride BYTES (of the stubs), or"
            " lint the running kernel with --boot ISO"
        )
    return [entries[vector] for vector in sorted(entries)]


class _Finder:
    def __init__(self, image: Image, decoder: Decoder) -> None:
        self._image = image
        self._decoder = decoder
        self._code = [s for s in image.symbols if image.is_code(s.address)]
        self._returning: dict[int, bool] = {}

    def families(self) -> dict[int, Entry]:
        """Return the members of families of numbered names by vector."""
        members: dict[str, dict[int, Symbol]] = defaultdict(dict)
        for symbol in self._code:
            for prefix, number in _numbered(symbol.name):
                members[prefix].setdefault(number, symbol)
        entries: dict[int, Entry] = {}
        for prefix, stubs in sorted(members.items(), key=lambda item: -len(item[1])):
            if len(stubs) < ENOUGH or not self._is_family(stubs.values()):
                continue
            bias = FIRST_IRQ if IRQ.search(prefix) and min(stubs) < FIRST_IRQ else 0
            for number, symbol in stubs.items():
                vector = number + bias
                if vector < VECTOR_COUNT and vector not in entries:
                    entries[vector] = Entry(vector, symbol.address, symbol.name)
        return entries

    def _is_family(self, symbols: Iterable[Symbol]) -> bool:
        """Whether the code looks like stubs and not like C functions of such names."""
        looks = [
            self.is_handler(symbol.address) or self._begins_as_stub(symbol.address)
            for symbol in symbols
        ]
        return sum(looks) * 2 >= len(looks)

    def _begins_as_stub(self, address: int) -> bool:
        """Whether a constant is pushed at once, as no compiled function does."""
        for _ in range(3):
            instruction = self._decoder.at(address)
            if instruction is None:
                return False
            if instruction.mnemonic == "push" and self._decoder.target(instruction) is not None:
                return True
            address = instruction.end
        return False

    def is_handler(self, address: int) -> bool:
        """Whether an IRETQ, or IRET by mistake, can be reached from @address."""
        if address not in self._returning:
            self._returning[address] = self._reaches_iret(address)
        return self._returning[address]

    def _reaches_iret(self, start: int) -> bool:
        pending, seen = [start], set()
        while pending and len(seen) < 2000:
            address = pending.pop()
            while address not in seen:
                seen.add(address)
                instruction = self._decoder.at(address)
                if instruction is None or instruction.kind in (Kind.RETURN, Kind.JUMP):
                    break
                if instruction.kind in (Kind.IRETQ, Kind.IRET32):
                    return True
                if instruction.mnemonic.startswith(("j", "loop")):
                    target = self._decoder.target(instruction)
                    if target is not None:
                        pending.append(target)
                    if instruction.mnemonic == "jmp":
                        break
                elif instruction.kind is Kind.CALL and len(seen) < 8:
                    # Some stubs call the common path, which returns from the interrupt itself.
                    target = self._decoder.target(instruction)
                    if target is not None:
                        pending.append(target)
                address = instruction.end
        return False

    def tables(self) -> list[Entry]:
        """Return the stubs of the longest table of pointers to code that return by IRETQ."""
        best: list[Entry] = []
        for symbol in self._image.symbols:
            if self._image.is_code(symbol.address) or not TABLE.search(symbol.name):
                continue
            entries = self._table(symbol)
            if len(entries) > len(best):
                best = entries
        return best

    def _table(self, symbol: Symbol) -> list[Entry]:
        following = self._image.next_symbol(symbol.address)
        end = symbol.address + (symbol.size or 8 * VECTOR_COUNT)
        if following is not None and not symbol.size:
            end = min(end, following.address)
        entries = []
        for index in range(min((end - symbol.address) // 8, VECTOR_COUNT)):
            stub = self._image.read_int(symbol.address + 8 * index)
            if stub == 0:
                continue
            if stub is None or not self._image.is_code(stub) or not self.is_handler(stub):
                break
            entries.append(Entry(index, stub, self._image.describe(stub)))
        return entries if len(entries) >= ENOUGH else []

    def _is_other(self, symbol: Symbol) -> bool:
        """Whether a function seems to be a handler of the compiler's making."""
        if not symbol.is_function or not OTHER.search(symbol.name):
            return False
        debug = self._image.debug
        return is_mangled(symbol.name) or bool(debug and debug.function(symbol.address))

    def exceptions(self, with_others: bool) -> list[Entry]:
        """Return the handlers that are called by an exception's name, as in Rust kernels, and
        @with_others handlers of unknown vectors."""
        entries: dict[int, Entry] = {}
        others = []
        for symbol in self._code:
            word = plain_name(symbol.name)
            vector = next((v for v, words in EXCEPTION_WORDS.items() if word in words), None)
            if vector is None:
                if with_others and self._is_other(symbol):
                    others.append(symbol)
                continue
            if vector not in entries and self.is_handler(symbol.address):
                entries[vector] = Entry(vector, symbol.address, symbol.name)
        taken = {entry.address for entry in entries.values()}
        vector = FIRST_IRQ
        for symbol in others:
            if symbol.address in taken or vector >= VECTOR_COUNT:
                continue
            if self.is_handler(symbol.address):
                taken.add(symbol.address)
                entries[vector] = Entry(vector, symbol.address, symbol.name, known=False)
                vector += 1
        return list(entries.values())


def _numbered(name: str) -> list[tuple[str, int]]:
    """Return the ways to read @name as a stub's: a family's prefix, and the number."""
    found = []
    for match in re.finditer(r"\d+", name):
        prefix = name[: match.start()]
        if FAMILY.search(prefix) and match[0] == str(int(match[0])) or (
            FAMILY.search(prefix) and len(match[0]) <= 3
        ):
            found.append((prefix, int(match[0])))
            break
    return found


def plain_name(name: str) -> str:
    """Return the last part of a C, C++ or Rust @name without what only says "handler"."""
    parts = identifiers(name)
    word = parts[-1] if parts else name
    word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).lower()
    for _ in range(2):
        word = AFFIX.sub("", word)
    return word
