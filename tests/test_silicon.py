"""The interrupt path on the real CPU: tests/silicon/ links the kernel's own objects of asm/ into a
Linux program whose trampoline pushes what the CPU would push."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD

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
