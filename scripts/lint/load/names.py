"""Finding the stubs of a kernel by what they are called: families of numbered names, such as isr14
or _isr0E, and the names of exceptions, in whatever spelling."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from lint.architecture import MNEMONICS, VECTOR_COUNT
from lint.engine.disasm import Decoder
from lint.engine.returning import Handlers
from lint.engine.trace import Entry
from lint.load.image import Image, Symbol
from lint.load.mangling import identifiers, is_mangled

# What families of numbered stubs are called, as the last word before the number.
FAMILY = re.compile(
    r"(?:^|_|\b)(isr|isr_stub|irq|irq_stub|int|intr|interrupt|vector|vec|exception|exc|trap|idt"
    r"|stub|handler|interrupt_handler|int_handler|isr_handler|exception_handler|entry"
    r"|trap_entry|interrupt_entry|interrupt_stub|int_stub|isr_entry|isr_wrapper)_?(?:0x)?$",
    re.IGNORECASE,
)
NUMBER = re.compile(r"\d+")
HEXADECIMAL = re.compile(r"[0-9a-fA-F]{2}(?![0-9a-zA-Z])")
IRQ = re.compile(r"irq", re.IGNORECASE)
FIRST_IRQ = 32  # where kernels put the 8259's lines, for above the exceptions
OTHER = re.compile(r"interrupt|irq|isr|handler", re.IGNORECASE)
ENOUGH = 3  # stubs make a family
SAMPLE = 32  # of them show whether they are stubs

# Words that a handler's name has for an exception, without underscores.
WORDS = {
    word: vector
    for vector, words in {
        0: "divideerror dividebyzero divisionerror divisionbyzero divbyzero divzero divide",
        1: "debug singlestep",
        2: "nmi nonmaskableinterrupt nonmaskable",
        3: "breakpoint int3",
        4: "overflow into",
        5: "boundrangeexceeded boundrange bounds bound",
        6: "invalidopcode undefinedopcode invalidop undefinedinstruction illegalinstruction",
        7: "devicenotavailable nofpu nomathcoprocessor",
        8: "doublefault",
        10: "invalidtss",
        11: "segmentnotpresent notpresent",
        12: "stacksegmentfault stacksegment stackfault",
        13: "generalprotectionfault generalprotection gpf gpfault protectionfault protection",
        14: "pagefault page",
        16: "x87floatingpoint x87fpu fpuerror coprocessorerror",
        17: "alignmentcheck",
        18: "machinecheck",
        19: "simdfloatingpoint simdfp simdexception simdcoprocessorerror",
        20: "virtualization",
        21: "cpprotectionexception controlprotection",
        29: "vmmcommunicationexception vmmcommunication",
        30: "securityexception",
    }.items()
    for word in words.split()
}
# Words that say so only beside another one that says "handler": #PF as pf, with #XM's other name.
SHORT = {mnemonic.lstrip("#").lower(): vector for vector, mnemonic in MNEMONICS.items()}
SHORT |= {"xf": 19, "page": 14, "protection": 13, "debug": 1, "into": 4, "divide": 0, "bound": 5}
del SHORT["nmi"]  # which is no other word
FIRST_WORD = re.compile(
    r"^(?:x86(?:_64)?|arch|kernel|asm|exc?|isr|interrupts?|exception|handler|handle|on|trap|entry"
    r"|int|idt|irq|vec|vector|fault|do|cpu|stub|raw|common|my|k)_"
)
LAST_WORD = re.compile(
    r"_(?:handler|isr|interrupt|exception|trap|stub|entry|asm|wrapper|thunk|int|vector|gate|fault"
    r"|err|error|service|routine|handle)$"
)


@dataclass
class Named:
    """What the names of an image say."""

    entries: dict[int, Entry]
    guesses: dict[int, int]  # vectors of which nothing but a number in the name speaks, by address


class Finder:
    """Reads the names of code that is like a handler's."""

    def __init__(self, image: Image, decoder: Decoder, handlers: Handlers) -> None:
        self._image = image
        self._decoder = decoder
        self._handlers = handlers
        self._code = [s for s in image.symbols if image.is_code(s.address)]

    def families(self) -> Named:
        """Return the members of families of numbered names. Those of a name that does not speak of
        interrupts are guesses."""
        entries: dict[int, Entry] = {}
        guesses: dict[int, int] = {}
        families = sorted(self._families(), key=lambda item: -len(item[1]))
        for prefix, stubs in families:
            bias = FIRST_IRQ if IRQ.search(prefix) and min(stubs) < FIRST_IRQ else 0
            speaks = FAMILY.search(prefix) is not None
            for number, symbol in stubs.items():
                vector = number + bias
                if vector >= VECTOR_COUNT:
                    continue
                if speaks and vector not in entries:
                    entries[vector] = Entry(vector, symbol.address, symbol.name)
                else:
                    guesses.setdefault(symbol.address, vector)
        return Named(entries, guesses)

    def _families(self) -> Iterator[tuple[str, dict[int, Symbol]]]:
        """Yield the families of stubs: what is before the number, and the members by it."""
        decimal: dict[str, dict[int, list[Symbol]]] = defaultdict(lambda: defaultdict(list))
        hexadecimal: dict[str, dict[int, list[Symbol]]] = defaultdict(lambda: defaultdict(list))
        with_letters: set[str] = set()
        for symbol in self._code:
            if match := NUMBER.search(symbol.name):
                decimal[symbol.name[: match.start()]][int(match[0])].append(symbol)
            for match in HEXADECIMAL.finditer(symbol.name):
                prefix = symbol.name[: match.start()]
                if FAMILY.search(prefix):
                    hexadecimal[prefix][int(match[0], 16)].append(symbol)
                    if not match[0].isdigit():
                        with_letters.add(prefix)
        for prefix in with_letters:
            decimal.pop(prefix, None)
        named = [*decimal.items(), *((prefix, hexadecimal[prefix]) for prefix in with_letters)]
        for prefix, members in named:
            if len(members) < ENOUGH:
                continue
            stubs = {number: self._stub_of(symbols) for number, symbols in members.items()}
            if self._is_family(list(stubs.values())):
                yield prefix, stubs

    def _stub_of(self, symbols: list[Symbol]) -> Symbol:
        """Return the stub among @symbols of one number: isr14, and not C's isr14_handler."""
        if len(symbols) == 1:
            return symbols[0]
        looks = [symbol for symbol in symbols if self._looks(symbol)]
        return min(looks or symbols, key=lambda symbol: len(symbol.name))

    def _is_family(self, symbols: list[Symbol]) -> bool:
        """Whether the code looks like stubs and not like C functions of such names."""
        looks = [self._looks(symbol) for symbol in symbols[:SAMPLE]]
        return sum(looks) * 2 >= len(looks)

    def _looks(self, symbol: Symbol) -> bool:
        return self._begins_as_stub(symbol.address) or symbol.address in self._handlers

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

    def exceptions(self) -> dict[int, Entry]:
        """Return the handlers that are called by an exception's name."""
        entries: dict[int, Entry] = {}
        for symbol in self._code:
            vector = vector_of(symbol.name)
            if vector is not None and vector not in entries and symbol.address in self._handlers:
                entries[vector] = Entry(vector, symbol.address, symbol.name)
        return entries

    def others(self, taken: set[int]) -> list[Entry]:
        """Return handlers of a compiler's making, but those at the addresses @taken, with vectors
        that nobody knows."""
        found = []
        for symbol in self._code:
            known = symbol.address in taken or vector_of(symbol.name) is not None
            vector = FIRST_IRQ + len(found)
            if known or vector >= VECTOR_COUNT or not self._is_compiled(symbol):
                continue
            if symbol.address in self._handlers:
                taken = taken | {symbol.address}
                found.append(Entry(vector, symbol.address, symbol.name, known=False))
        return found

    def _is_compiled(self, symbol: Symbol) -> bool:
        if not symbol.is_function or not OTHER.search(symbol.name):
            return False
        debug = self._image.debug
        return is_mangled(symbol.name) or bool(debug and debug.function(symbol.address))


def vector_of(name: str) -> int | None:
    """Return the exception that a C, C++ or Rust function's @name speaks of, or None."""
    word = identifiers(name)[-1].lstrip("_")
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", word).lower()
    words, speaks = [word], False
    while words:
        word = words.pop()
        plain = word.replace("_", "")
        if plain in WORDS and (speaks or plain not in SHORT):
            return WORDS[plain]
        if speaks and plain in SHORT:
            return SHORT[plain]
        shorter = [FIRST_WORD.sub("", word), LAST_WORD.sub("", word)]
        speaks = True
        words += [each for each in shorter if each != word]
    return None
