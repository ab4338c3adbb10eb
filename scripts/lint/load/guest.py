"""A running kernel as an Image: what the CPU would really run, without any symbol."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lint.architecture import GATE_SIZE, PAGE_SIZE, VECTOR_COUNT
from lint.checks.contract import USUAL_SELECTORS
from lint.checks.gates import (
    Gate,
    SystemTables,
    check_gates,
    entries_of,
    gates_in,
    parse_idt,
)
from lint.errors import CannotRun
from lint.load import system_calls, vmstate
from lint.load.files import load_image
from lint.load.image import Image, Segment
from lint.load.paging import PageWalker
from lint.load.qmp import Running, booted, connect
from lint.load.sources import Source
from lint.load.system_calls import SystemCalls

# SDM vol. 3, 2.5 and 2.2.1.
CR0_PG, CR4_LA57, CR4_SMEP, CR4_SMAP, CR4_CET = 1 << 31, 1 << 12, 1 << 20, 1 << 21, 1 << 23
EFER_SCE, EFER_LMA = 1 << 0, 1 << 10

SAMPLE = 40  # functions that are compared with those of the ELF file
POLL = 0.2  # seconds
SETTLED = 5  # polls without a change of the tables


class GuestImage(Image):
    """Memory that is fetched from the machine page by page, when it is asked for."""

    def __init__(self, name: str, running: Running, walker: PageWalker) -> None:
        super().__init__(name)
        self._running = running
        self._walker = walker
        self._fetched: dict[int, Segment | None] = {}
        self.seal()

    def segment_at(self, address: int) -> Segment | None:
        """Return the page that holds @address."""
        number = address // PAGE_SIZE
        if number not in self._fetched:
            self._fetched[number] = self._fetch(number * PAGE_SIZE)
        return self._fetched[number]

    def _fetch(self, address: int) -> Segment | None:
        page = self._walker.walk(address) if 0 <= address < 1 << 64 else None
        if page is None:
            return None
        data = self._running.page(page.physical)
        return Segment(address, data, page.executable, page.writable)

    def page(self, address: int) -> bytes | None:
        """Return the page at @address."""
        segment = self.segment_at(address)
        return bytes(segment.data) if segment else None

    def read(self, address: int, size: int) -> bytes | None:
        """Return @size bytes, across pages."""
        data = b""
        while len(data) < size:
            piece = super().read(address + len(data), size - len(data))
            if not piece:
                break
            data += piece
        return data or None

    def symbol_at(self, address: int) -> object | None:
        """Return the nearest symbol, if an ELF file was given as well."""
        symbol = super().symbol_at(address)
        return symbol if symbol and address - symbol.address < 1 << 20 else None


class State:
    """The registers of the first CPU, as the human monitor prints them."""

    def __init__(self, running: Running) -> None:
        text = running.monitor("info registers")
        self._words = {
            name: int(value, 16)
            for name, value in re.findall(r"\b([A-Z][A-Z0-9]+) *= ?([0-9a-f]+)", text)
        }
        self._tables = {
            name: (int(base, 16), int(limit, 16))
            for name, base, limit in re.findall(
                r"\b([GI]DT) *= *([0-9a-f]+) ([0-9a-f]+)", text
            )
        }
        task = re.search(r"\bTR *= *([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)", text)
        self.tr = tuple(int(word, 16) for word in task.groups()) if task else (0, 0, 0)

    def __getitem__(self, name: str) -> int:
        return self._words.get(name, 0)

    @property
    def idt(self) -> tuple[int, int]:
        return self._tables.get("IDT", (0, 0))

    @property
    def gdt(self) -> tuple[int, int]:
        return self._tables.get("GDT", (0, 0))

    @property
    def in_long_mode(self) -> bool:
        return bool(self["EFER"] & EFER_LMA and self["CR0"] & CR0_PG)


@contextmanager
def load_guest(options: argparse.Namespace) -> Iterator[Source]:
    """Bring the kernel that runs in QEMU, with the names of the ELF file if one is given. The
    machine stands still as long as the block, since its memory is read when it is needed."""
    if options.boot:
        with booted(options.boot, options.qemu) as running:
            _wait_for_idt(running, options.after)
            with running.stopped():
                yield _Reader(running, options).source(options.boot)
        return
    running = connect(options.qmp)
    try:
        with running.stopped():
            yield _Reader(running, options).source(options.qmp)
    finally:
        running.close()


def _wait_for_idt(running: Running, seconds: float) -> None:
    """Wait until the kernel is in long mode with gates in its IDT, and neither they nor what GDTR
    and TR name change any more. Before that IDTR leads to the firmware's vectors, which do not
    change either; and a kernel may load an IDT early and its TSS much later."""
    end, same, before = time.monotonic() + max(seconds, 0.1), 0, None
    while same < SETTLED and time.monotonic() < end:
        time.sleep(POLL)
        state = State(running)
        now = None
        if state.in_long_mode and state.idt[1] >= GATE_SIZE:
            running.forget()
            base, limit = state.idt
            size = min(limit + 1, VECTOR_COUNT * GATE_SIZE)
            gates = _read(running, _walker(running, state), base, size)
            if gates is not None and any(gate.present for gate in gates_in(gates)):
                now = (gates, state.gdt, state.tr)
        same = same + 1 if now is not None and now == before else 0
        before = now


def _walker(running: Running, state: State) -> PageWalker:
    return PageWalker(running.page, state["CR3"], 5 if state["CR4"] & CR4_LA57 else 4)


def _read(running: Running, walker: PageWalker, address: int, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        page = walker.walk(address + len(data))
        if page is None:
            return None
        offset = page.physical % PAGE_SIZE
        data += running.page(page.physical - offset)[offset : offset + size - len(data)]
    return data


class _Reader:
    """Reads tables and stubs from a stopped machine."""

    def __init__(self, running: Running, options: argparse.Namespace) -> None:
        self._running = running
        self._state = State(running)
        if not self._state.in_long_mode:
            raise CannotRun(
                "the CPU is not in long mode (yet): choose a later moment, with --after SECONDS"
            )
        self._walker = _walker(running, self._state)
        self._options = options

    def source(self, name: str) -> Source:
        """Return all that lint needs."""
        state = self._state
        base, limit = state.idt
        table = _read(self._running, self._walker, base, min(limit + 1, VECTOR_COUNT * GATE_SIZE))
        if not table:
            raise CannotRun(f"the IDT at {base:#x} is not mapped, or empty")
        gates = parse_idt(table)
        image = GuestImage(name, self._running, self._walker)
        if self._options.files:
            named = load_image(self._options.files)
            self._compare(image, named)
            image.symbols, image.debug = named.symbols, named.debug
            image.seal()
        entries, findings = entries_of(gates, image)
        tables = self._tables(limit)
        findings += check_gates(gates, tables)
        return Source(
            name,
            image,
            entries,
            findings,
            calls=self._system_calls(image, tables.gdt),
            smap=bool(state["CR4"] & CR4_SMAP),
            ibt=bool(state["CR4"] & CR4_CET),
            selectors=_selectors(gates, tables.gdt),
            has_idt=True,
        )

    def _system_calls(self, image: GuestImage, gdt: list[int]) -> SystemCalls:
        """Return where SYSCALL and SYSENTER lead, if the kernel has switched SYSCALL on."""
        if not self._state["EFER"] & EFER_SCE:
            return SystemCalls()
        msrs = vmstate.msrs(self._running.saved_state())
        found = system_calls.find(image, self._options, msrs)
        found.gdt = gdt
        return found

    def _compare(self, image: GuestImage, named: Image) -> None:
        """Refuse an ELF file that is not of the kernel that runs: its names would mislead."""
        functions = [s.address for s in named.symbols if s.is_function and named.is_code(s.address)]
        some = functions[:: max(1, len(functions) // SAMPLE)]
        different = sum(image.read(at, 16) != named.read(at, 16) for at in some)
        if different * 4 > len(some):
            raise CannotRun(f"{named.name} is not the kernel that runs: {different} of {len(some)}"
                            " functions differ from its memory")  # fmt: skip

    def _tables(self, idt_limit: int) -> SystemTables:
        state = self._state
        base, limit = state.gdt
        data = _read(self._running, self._walker, base, limit + 1) or b""
        gdt = [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data) - 7, 8)]
        selector, tss, tss_limit = state.tr
        tables = SystemTables(
            self._walker,
            idt_limit,
            gdt,
            tss_limit if selector else None,
            smep=bool(state["CR4"] & CR4_SMEP),
            syscall=bool(state["EFER"] & EFER_SCE),
        )
        content = _read(self._running, self._walker, tss, 0x68) if selector else None
        if content:
            words = [int.from_bytes(content[at : at + 8], "little") for at in range(4, 0x5C, 8)]
            tables.rsp0, tables.ist = words[0], words[4:11]
        return tables


def _selectors(gates: list[Gate], gdt: list[int]) -> tuple[int, int, int, int]:
    """Return kernel CS and SS and user CS and SS as the GDT has them."""
    kernel_cs, kernel_ss, user_cs, user_ss = USUAL_SELECTORS
    kernel_cs = next(gate.selector for gate in gates if gate.present)
    for index, descriptor in enumerate(gdt[1:], 1):
        usable = descriptor >> 47 & 1 and descriptor >> 44 & 1
        is_code, dpl = descriptor >> 43 & 1, descriptor >> 45 & 3
        if usable and dpl == 3:
            if is_code and descriptor >> 53 & 1:
                user_cs = index * 8 | 3
            elif not is_code:
                user_ss = index * 8 | 3
        elif usable and not is_code and dpl == 0:
            kernel_ss = index * 8
    return kernel_cs, kernel_ss, user_cs, user_ss
