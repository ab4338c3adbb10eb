"""Finding the stubs that nobody has named: by the IDT that the kernel's own code writes, by names,
by the vectors that stubs push, by tables that point at them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from lint.architecture import VECTOR_COUNT
from lint.checks.finding import Finding
from lint.checks.gates import entries_of
from lint.engine.callee import Judge
from lint.engine.disasm import Decoder
from lint.engine.flow import Flow
from lint.engine.returning import Handlers, Returning
from lint.engine.trace import Entry
from lint.load.given import flag, table_ends_early
from lint.load.image import Image
from lint.load.names import Finder
from lint.load.pushes import pushed_vector, stubs_by_pushes
from lint.load.tables import tables_of_stubs
from lint.load.written_idt import WrittenIdt

SHARED = 8  # gates that lead to one address make it a default, which says little of a vector
MOST_NAMED = 6


@dataclass
class Discovery:
    """What was found."""

    entries: dict[int, Entry] = field(default_factory=dict)
    guesses: dict[int, int] = field(default_factory=dict)  # vectors by address, not sure enough
    findings: list[Finding] = field(default_factory=list)
    _defaults: set[int] = field(default_factory=set)

    def take_gates(self, entries: list[Entry]) -> None:
        """Take what the gates say, which is more than names can."""
        self.entries = {entry.vector: entry for entry in entries}
        counts = Counter(entry.address for entry in entries)
        self._defaults = {address for address, count in counts.items() if count >= SHARED}

    @property
    def is_complete(self) -> bool:
        """Whether every vector has a stub of its own."""
        return len(self.entries) == VECTOR_COUNT and not self._defaults

    def add(self, entries: Iterable[Entry]) -> None:
        """Take @entries for vectors that have none, or nothing but a default. What contradicts is
        a guess."""
        taken = {entry.address for entry in self.entries.values()}
        for entry in entries:
            before = self.entries.get(entry.vector)
            if entry.address in taken:
                continue
            if before is None or before.address in self._defaults:
                self.entries[entry.vector] = entry
            else:
                self.guess({entry.address: entry.vector})

    def guess(self, vectors: dict[int, int]) -> None:
        """Note vectors by address, for what is not taken in the end."""
        for address, vector in vectors.items():
            self.guesses.setdefault(address, vector)


def discover(image: Image, decoder: Decoder) -> Discovery:
    """Return all stubs of @image that can be found."""
    found, handlers = Discovery(), Handlers(decoder)
    gates = WrittenIdt(image, decoder).gates()
    if gates:
        found.take_gates(entries_of(gates, image)[0])
    if found.is_complete:
        return found
    names = Finder(image, decoder, handlers)
    families = names.families()
    found.add(families.entries.values())
    found.add(names.exceptions().values())
    for address, vector in stubs_by_pushes(image, decoder, handlers).items():
        found.add([Entry(vector, address, image.describe(address))])
    _take_tables(image, handlers, found)
    found.guess(families.guesses)
    if not found.entries:
        found.add(names.others(set()))
    return found


def _take_tables(image: Image, handlers: Handlers, found: Discovery) -> None:
    for table in tables_of_stubs(image, handlers):
        stubs = table.stubs
        if table.sure:
            found.add(Entry(v, at, image.describe(at)) for v, at in stubs.items())
            found.findings += table_ends_early(stubs)
        else:
            found.guess({address: vector for vector, address in stubs.items()})


def candidates(image: Image, decoder: Decoder, guesses: dict[int, int]) -> str:
    """Return in words what returns by IRETQ, if there is anything: options that would lint it."""
    flow = Flow(image, decoder, Judge(image, decoder, set(), set()))
    flags = []
    for address in Returning(image, decoder, flow).functions(set()):
        vector = guesses.get(address, pushed_vector(decoder, address))
        flags.append(flag(image, address, vector))
    more = len(flags) - MOST_NAMED
    return ", ".join(flags[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
