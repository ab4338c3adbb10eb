"""The interrupt path on the real CPU: tests/silicon/ links the kernel's own objects of asm/ into a
Linux program whose trampoline pushes what the CPU would push."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import BUILD, ROOT

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the stubs run on x86-64 alone"
)

FUZZ = BUILD / "silicon" / "fuzz"


def fuzz(seed: int, count: int, program: Path = FUZZ) -> subprocess.CompletedProcess[str]:
    """Run the fuzzer."""
    command = [str(program), str(seed), str(count)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_ten_million_random_interrupts() -> None:
    seed = int.from_bytes(Path("/dev/urandom").open("rb").read(7), "little")
    result = fuzz(seed, 10_000_000)
    print(result.stdout)
    assert result.returncode == 0, result.stdout
    assert "fuzz: 10000000 of 10000000 interrupts" in result.stdout


def test_the_fuzzer_refuses_what_is_no_number() -> None:
    for wrong, why in (("x", 'SEED is a number from 0 to 2^64-1, not "x"'), ("0", "N is a number")):
        result = subprocess.run([str(FUZZ), wrong, "0"], capture_output=True, text=True)
        assert result.returncode == 2 and why in result.stderr


# Bytes of the entry path, what they become, and what the fuzzer must say to that.
FLAWS = {
    "pops-swapped": ("415d 415c", "415c 415d", r"after the return r1[23] is"),
    "df-not-looked-at": ("00040400", "00000400", r"DF is set at the call of trap_dispatch"),
    "code-not-dropped": ("4883c410", "4883c408", r"Segmentation fault at RIP .* trap_entry"),
    "slot-not-marked": ("c744240401", "c744240400", r"slot_opened is 0x0, not 0x1"),
    "rdi-wrong": ("4889ef", "4889df", r"the argument is .* bytes off the struct regs"),
}


@pytest.mark.parametrize("name", FLAWS)
def test_the_fuzzer_sees_a_flaw_in_the_path(name: str, tmp_path: Path) -> None:
    before, after, message = FLAWS[name]
    entry = (BUILD / "asm" / "entry.asm.o").read_bytes()
    assert entry.count(bytes.fromhex(before)) == 1, "asm/entry.asm has changed: so must FLAWS"
    flawed = tmp_path / "entry.o"
    flawed.write_bytes(entry.replace(bytes.fromhex(before), bytes.fromhex(after)))
    parts = ["fuzz.c.o", "event.c.o", "check.c.o", "extended.c.o", "trampoline.asm.o"]
    objects = [str(FUZZ.parent / part) for part in parts]
    program = tmp_path / "fuzz"
    link = ["cc", "-no-pie", "-z", "noexecstack", "-o", str(program), *objects]
    subprocess.run([*link, str(BUILD / "asm" / "stubs.asm.o"), str(flawed)], check=True)

    result = fuzz(1, 10_000, program)
    assert result.returncode == 1
    assert re.search(message, result.stdout), result.stdout
    again = re.search(r"make fuzz SEED=(0x[0-9a-f]+) N=1", result.stdout)
    assert again, result.stdout
    assert fuzz(int(again[1], 16), 1, program).returncode == 1


def test_our_path_is_right_where_compilers_are_not() -> None:
    stubs = [str(BUILD / "asm" / name) for name in ("stubs.asm.o", "entry.asm.o")]
    command = [sys.executable, str(ROOT / "scripts" / "compare"), str(BUILD), *stubs]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ours = [line.split() for line in text.splitlines() if line.startswith("  Barestub")]
    assert " ".join(ours[0]) == "Barestub without a code 0, with a code 0"
    assert " ".join(ours[1]) == "Barestub without a code right, with a code right"
