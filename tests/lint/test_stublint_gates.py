"""stublint on gates, descriptors and IST stacks: each rule is seen red once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

for module in ("unicorn", "capstone", "elftools"):
    pytest.importorskip(module)

from lint import cli  # noqa: E402
from lint.checks.finding import Finding  # noqa: E402
from lint.checks.gates import Gate, SystemTables, check_gates, entries_of, parse_idt  # noqa: E402
from lint.load.image import Image, Segment  # noqa: E402
from lint.load.paging import Page, PageWalker  # noqa: E402
from linting import OUR_KERNEL  # noqa: E402

CODE, DATA = 0x00AF9A000000FFFF, 0x00CF92000000FFFF
HANDLER = 0xFFFFFFFF80001000
STACKS = [0xFFFFC00000010000, 0xFFFFC00000020000, 0xFFFFC00000030000, 0, 0, 0, 0]


class Pages(PageWalker):
    """Page tables that map what is told, and nothing at 0."""

    def __init__(self, handler: Page, stack: Page | None) -> None:
        self._handler, self._stack = handler, stack

    def walk(self, address: int) -> Page | None:
        if address >= HANDLER:
            return self._handler
        return self._stack if address >= 0xFFFFC00000000000 else None


def machine(**changes: object) -> SystemTables:
    """A machine in which nothing is wrong, but for @changes."""
    right = SystemTables(
        walker=Pages(Page(0x1000, False, False, True), Page(0x2000, True, False, False)),
        idt_limit=0xFFF,
        gdt=[0, CODE, DATA],
        tss_limit=0x67,
        rsp0=0xFFFFC00000040000,
        ist=list(STACKS),
        smep=True,
        syscall=True,
    )
    return replace(right, **changes)


def gates(**changes: dict[str, int]) -> list[Gate]:
    """256 gates in which nothing is wrong, but for those of v<number> = what to change."""
    ist = {2: 1, 8: 2, 18: 3}
    right = [
        Gate(v, HANDLER, 8, ist.get(v, 0), 0xE, 3 if v in (3, 4) else 0, True, 0)
        for v in range(256)
    ]
    for name, change in changes.items():
        vector = int(name[1:])
        right[vector] = replace(right[vector], **change)
    return right


def judge(some: list[Gate], where: SystemTables) -> list[Finding]:
    """What is said of them."""
    image = Image("code", [Segment(HANDLER, b"\x48\xcf", True, False)]).seal()
    _, findings = entries_of(some, image)
    return findings + check_gates(some, where)


USER_PAGE = Page(0x1000, False, True, True)
WRITABLE_PAGE = Page(0x1000, True, False, True)
STACK_PAGE = Page(0x2000, True, False, False)

CASES = {
    "limit one too small": ("idt-limit", "ERROR", {}, {"idt_limit": 0xFFE}),
    "limit one too large": ("idt-limit", "LATENT", {}, {"idt_limit": 0x1000}),
    "limit of 48 gates": ("idt-limit", "INFO", {}, {"idt_limit": 48 * 16 - 1}),
    "no gate for #PF": ("gate-missing", "LATENT", {"v14": {"present": False}}, {}),
    "a 32-bit call gate": ("gate-type", "ERROR", {"v5": {"type": 0xC}}, {}),
    "reserved bits": ("gate-type", "ERROR", {"v5": {"reserved": 1}}, {}),
    "#PF for ring 3": ("gate-dpl", "ERROR", {"v14": {"dpl": 3}}, {}),
    "#DE for ring 3": ("gate-dpl", "LATENT", {"v0": {"dpl": 3}}, {}),
    "selector of data": ("gate-selector", "ERROR", {"v5": {"selector": 0x10}}, {}),
    "selector beyond the GDT": ("gate-selector", "ERROR", {"v5": {"selector": 0x28}}, {}),
    "offset without its high half": ("gate-offset", "ERROR", {"v5": {"offset": 0x80001000}}, {}),
    "offset not canonical": ("gate-offset", "ERROR", {"v5": {"offset": 1 << 47}}, {}),
    "code of ring 3 under SMEP": (
        "gate-offset", "ERROR", {}, {"walker": Pages(USER_PAGE, STACK_PAGE)}),
    "writable code": ("handler-writable", "INFO", {}, {"walker": Pages(WRITABLE_PAGE, STACK_PAGE)}),
    "IST not set": ("ist-stack", "ERROR", {"v8": {"ist": 4}}, {}),
    "IST not mapped": (
        "ist-stack", "ERROR", {}, {"walker": Pages(Page(0x1000, False, False, True), None)}),
    "IST not aligned": ("ist-misaligned", "LATENT", {}, {"ist": [STACKS[0] + 8, *STACKS[1:]]}),
    "NMI and #DF share": ("ist-shared", "ERROR", {"v2": {"ist": 2}}, {}),
    "#DF and #MC share": ("ist-shared", "LATENT", {"v18": {"ist": 2}}, {}),
    "IST stacks too near": ("ist-overlap", "ERROR", {}, {"rsp0": STACKS[0] + 512}),
    "#DF without IST": ("double-fault-stack", "LATENT", {"v8": {"ist": 0}}, {}),
    "NMI without IST": ("nmi-stack", "LATENT", {"v2": {"ist": 0}}, {}),
    "TR not loaded": ("tss-missing", "ERROR", {}, {"tss_limit": None, "ist": [], "rsp0": 0}),
}  # fmt: skip

SEEN_RED = {case[0] for case in CASES.values()}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_broken_table_is_found_under_its_rule(case: tuple) -> None:
    rule, severity, broken_gates, broken_machine = case
    found = judge(gates(**broken_gates), machine(**broken_machine))
    assert (rule, severity) in {(finding.rule, finding.severity) for finding in found}


def test_right_tables_are_clean() -> None:
    assert judge(gates(), machine()) == []


def test_gates_are_read_as_the_manual_draws_them() -> None:
    """SDM vol. 3, figure 6-8."""
    data = bytes.fromhex("3412 0800 05 ee 7856 f0debc9a 00000000")
    gate = parse_idt(data)[0]
    assert gate == Gate(0, 0x9ABCDEF056781234, 8, 5, 0xE, 3, True, 0)


def test_page_tables_are_walked_with_all_rights() -> None:
    """A 2 MiB page under a user-accessible directory: the stricter right counts."""
    tables = {
        0x1000: {0: 0x2000 | 7}, 0x2000: {0: 0x3000 | 7}, 0x3000: {1: 0x400000 | 0x83 | 1 << 63},
    }  # fmt: skip

    def page(address: int) -> bytes:
        words = [tables.get(address, {}).get(index, 0) for index in range(512)]
        return b"".join(word.to_bytes(8, "little") for word in words)

    walker = PageWalker(page, 0x1000, 4)
    assert walker.walk(0x212345) == Page(0x412345, True, False, False)
    assert walker.walk(0x12345) is None


def test_an_idt_image_names_the_stubs(
    tmp_path: Path, symbols: dict, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dump of the IDT and the kernel's ELF: gates and stubs are judged together."""
    first = symbols["isr_0_DE"].address
    path = tmp_path / "idt.bin"

    def dump(attributes: int) -> None:
        table = b""
        for vector in range(256):
            at = first + 16 * vector
            low = at & 0xFFFF | 8 << 16 | attributes << 40 | (at >> 16 & 0xFFFF) << 48
            table += low.to_bytes(8, "little") + (at >> 32).to_bytes(8, "little")
        path.write_bytes(table)

    dump(0x8E)
    arguments = [*OUR_KERNEL, "--idt-image", str(path), "--brief"]
    assert cli.main(arguments) == cli.CLEAN
    dump(0x8C)
    assert cli.main(arguments) == cli.FINDINGS
    assert "gate-type  256 vectors: 0-255" in capsys.readouterr().out
    path.write_bytes(bytes(4096))
    assert cli.main(arguments) == cli.CANNOT_RUN


def test_raw_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No ELF file and no symbol: an IDT in the memory itself, and a handler that only returns."""
    gate = (0x1000 | 8 << 16 | 0x8E << 40).to_bytes(8, "little") + bytes(8)
    path = tmp_path / "memory.bin"
    path.write_bytes(b"\x48\xcf".ljust(0x1000, b"\xcc") + gate * 8)
    arguments = ["--memory", f"{path}@0x1000", "--idt", "0x2000", "--brief"]
    assert cli.main(arguments) == cli.CLEAN
    assert "8 stubs of vectors 0-7" in capsys.readouterr().out
    path.write_bytes(b"\x50\x48\xcf".ljust(0x1000, b"\xcc") + gate * 8)
    assert cli.main(arguments) == cli.FINDINGS
    assert "it takes the interrupted rax for rip" in capsys.readouterr().out
    assert cli.main(["--memory", str(path), "--idt", "0x2000"]) == cli.CANNOT_RUN
    assert cli.main(["--memory", f"{path}@0x1000", "--idt", "0x9000"]) == cli.CANNOT_RUN
