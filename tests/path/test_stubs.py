"""What can be told of the interrupt path without running it: the encoding of the stubs, and what
neither the kernel's code nor its sources may contain."""

from __future__ import annotations

import re
import subprocess

import pytest

from conftest import ROOT
from elf.symbols import Symbol, binutil

# From the manuals and not from kernel/trap/vectors.def: SDM vol. 3, table 6-1, and APM vol. 2,
# table 8-1, which adds #VC (29) and #SX (30).
VECTORS_WITH_CODE = {8, 10, 11, 12, 13, 14, 17, 21, 29, 30}

STUB_SIZE = 16
ENDBR64 = bytes.fromhex("f30f1efa")
PUSH_DUMMY = bytes.fromhex("6a00")
PUSH_IMM32 = 0x68
JMP_REL32 = 0xE9

# Registers that the entry path does not save, and the mnemonics of x87. FNINIT is for the time
# between two entries of the catalogue, when nobody has anything there.
VECTOR_REGISTER = re.compile(r"%([xyz]?mm\d+|st\b|k[0-7]\b)")
X87 = re.compile(r"^((?!fninit)f[a-z0-9]+|wait|emms)$")
BELOW_RSP = re.compile(r"-0x[0-9a-f]+\(%rsp")
BELOW_RBP = re.compile(r"-0x([0-9a-f]+)\(%rbp")
FRAME_GROWS = re.compile(r"push |sub +\$0x([0-9a-f]+),%rsp|add +\$0x(f[0-9a-f]{15}),%rsp")

# The interrupt attributes of GCC and Clang, and Rust's calling convention.
INTERRUPT_ATTRIBUTE = re.compile(r"(__attribute__\s*\(\(|\[\[)[^)\]]*\binterrupt\b|x86-interrupt")
SOURCES = ("boot", "kernel", "asm", "tests/faults")


@pytest.fixture(scope="session")
def stubs(symbols: dict[str, Symbol]) -> dict[int, Symbol]:
    """The stubs by vector."""
    names = ((re.fullmatch(r"isr_(\d+)(_[A-Z0-9]+)?", name), name) for name in symbols)
    return {int(match[1]): symbols[name] for match, name in names if match}


@pytest.fixture(scope="session")
def code(
    elf: str, symbols: dict[str, Symbol], tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    """The bytes of the stub table."""
    text = tmp_path_factory.mktemp("stubs") / "text.bin"
    command = [binutil("objcopy"), "-O", "binary", "--only-section=.text", elf, str(text)]
    subprocess.run(command, check=True)
    start = symbols["isr_0_DE"].address - symbols["text_start"].address
    return text.read_bytes()[start : start + 256 * STUB_SIZE]


def stub(code: bytes, vector: int) -> bytes:
    return code[vector * STUB_SIZE : (vector + 1) * STUB_SIZE]


@pytest.fixture(scope="session")
def instructions(elf: str) -> list[tuple[str, str]]:
    """(place, instruction) for all of the kernel's own code; the catalogue may do as it likes."""
    command = [binutil("objdump"), "-d", "--no-show-raw-insn", "--section=.text", elf]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    function, found = "", []
    for line in text.splitlines():
        if match := re.match(r"^[0-9a-f]+ <(.+)>:$", line):
            function = match[1]
        elif match := re.match(r"^ *([0-9a-f]+):\t(.+)$", line):
            found.append((f"{function} at {match[1]}", match[2].strip()))
    return found


def test_there_are_256_functions_of_16_bytes(stubs: dict[int, Symbol]) -> None:
    assert sorted(stubs) == list(range(256))
    assert {(s.kind, s.size) for s in stubs.values()} == {("FUNC", STUB_SIZE)}


def test_they_lie_one_behind_the_other(stubs: dict[int, Symbol]) -> None:
    base = stubs[0].address
    assert base % STUB_SIZE == 0
    assert all(s.address == base + vector * STUB_SIZE for vector, s in stubs.items())


def test_each_begins_with_endbr64(code: bytes) -> None:
    assert [v for v in range(256) if not stub(code, v).startswith(ENDBR64)] == []


def test_a_dummy_is_pushed_exactly_where_the_cpu_pushes_no_code(code: bytes) -> None:
    without = {v for v in range(256) if not stub(code, v)[4:].startswith(PUSH_DUMMY)}
    assert without == VECTORS_WITH_CODE


def test_each_pushes_its_vector_and_jumps_to_the_entry(
    code: bytes, stubs: dict[int, Symbol], symbols: dict[str, Symbol]
) -> None:
    for vector in range(256):
        has_code = vector in VECTORS_WITH_CODE
        at = 4 if has_code else 6
        body = stub(code, vector)
        assert body[at] == PUSH_IMM32
        assert int.from_bytes(body[at + 1 : at + 5], "little") == vector
        assert body[at + 5] == JMP_REL32
        offset = int.from_bytes(body[at + 6 : at + 10], "little", signed=True)
        target = stubs[vector].address + at + 10 + offset
        assert target == symbols["trap_entry_code" if has_code else "trap_entry"].address
        assert set(body[at + 10 :]) <= {0xCC}, "padding must trap"


def test_the_kernel_uses_no_register_that_the_entry_does_not_save(
    instructions: list[tuple[str, str]],
) -> None:
    assert len(instructions) > 256
    used = [
        (place, text)
        for place, text in instructions
        if VECTOR_REGISTER.search(text) or X87.match(text.split()[0])
    ]
    # The witness of a storm saves them itself; a hostile program begins with new ones.
    allowed = ("witness_", "world_")
    assert [(place, text) for place, text in used if not place.startswith(allowed)] == []


def growth(grows: re.Match[str]) -> int:
    """The bytes by which an instruction extends the frame."""
    if grows[2]:  # GCC 16 adds -128, which fits into a byte, for 128 does not
        return 2**64 - int(grows[2], 16)
    return int(grows[1], 16) if grows[1] else 8


def test_the_kernel_does_not_use_the_red_zone(instructions: list[tuple[str, str]]) -> None:
    """Neither below RSP, nor below what a function with a frame pointer has made room for."""
    room = None  # below RBP; unknown outside of such a function
    used = []
    for place, text in instructions:
        if text.startswith("endbr64"):
            room = None
        elif text == "mov    %rsp,%rbp":
            room = 0
        elif room is not None and (grows := FRAME_GROWS.match(text)):
            room += growth(grows)
        below = BELOW_RBP.search(text)
        beyond_room = below and room is not None and int(below[1], 16) > room
        if (BELOW_RSP.search(text) or beyond_room) and not text.startswith("lea"):
            used.append((place, text))
    assert used == []


def test_the_symbols_in_the_entry_lie_where_c_takes_them_to_be(
    instructions: list[tuple[str, str]],
) -> None:
    """cpu.c overwrites a NOP of three bytes; backtrace.c knows a trap by its return address."""
    places = [place for place, _ in instructions]
    clac = next(i for i, place in enumerate(places) if place.startswith("trap_entry.clac at"))
    assert instructions[clac][1] == "nopl   (%rax)"
    behind = next(i for i, place in enumerate(places) if place.startswith("trap_entry.return at"))
    assert re.fullmatch(r"call +[0-9a-f]+ <trap_dispatch>", instructions[behind - 1][1])


def test_no_source_leaves_the_interrupt_path_to_the_compiler() -> None:
    files = [f for name in SOURCES for f in (ROOT / name).rglob("*") if f.is_file()]
    assert files
    assert [f for f in files if INTERRUPT_ATTRIBUTE.search(f.read_text())] == []
