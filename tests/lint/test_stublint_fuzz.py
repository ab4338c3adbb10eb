"""stublint on broken files: whatever is in them, it answers in words and never by a traceback."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT
from elf.symbols import binutil

for module in ("unicorn", "capstone", "elftools"):
    pytest.importorskip(module)

from lint import cli  # noqa: E402

CASES = 80  # of each kind
ANSWERS = (cli.CLEAN, cli.FINDINGS, cli.CANNOT_RUN, cli.PARTIAL)


@pytest.fixture(scope="module", params=["object", "linked"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with four stubs and their debug information, small enough to be linted at once."""
    directory = tmp_path_factory.mktemp("whole")
    target = directory / "stubs.o"
    source = ROOT / "tests/lint/gas.S"
    subprocess.run([binutil("gcc"), "-g", "-c", source, "-o", target], check=True)
    if request.param == "linked":
        linked = directory / "stubs.elf"
        command = [binutil("ld"), "-Ttext", "0xffffffff80000000", "--defsym", "c_trap=divide"]
        subprocess.run([*command, "-e", "divide", target, "-o", linked], check=True)
        target = linked
    return target


def broken(data: bytes, random_numbers: random.Random) -> bytes:
    """Return @data with a few bytes changed, mostly in headers, or cut short."""
    changed = bytearray(data)
    for _ in range(random_numbers.choice((1, 2, 8))):
        near = random_numbers.choice((64, 512, len(data)))
        at = random_numbers.randrange(min(near, len(data)))
        if random_numbers.random() < 0.5:
            at = len(data) - 1 - at
        changed[at] = random_numbers.choice((0, 0x7F, 0x80, 0xFF, random_numbers.randrange(256)))
    if random_numbers.random() < 0.2:
        del changed[random_numbers.randrange(len(changed)) :]
    return bytes(changed)


@pytest.mark.parametrize("seed", range(3))
def test_broken_files(
    whole: Path, seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, path = whole.read_bytes(), tmp_path / "broken"
    for case in range(CASES):
        numbers = random.Random(seed * 1000 + case)
        path.write_bytes(broken(data, numbers))
        try:
            status = cli.main([str(path)])
        except BaseException as error:  # noqa: B902: a traceback of any kind is the failure
            raise AssertionError(f"seed {seed}, case {case}: {error!r}") from error
        output = capsys.readouterr()
        assert status in ANSWERS
        if status == cli.CANNOT_RUN:
            assert output.err.startswith("stublint: ") and output.err.count("\n") == 1, output.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"hello", "is not an ELF, PE, COFF or Mach-O file"),
        (b"MZ" + bytes(100), "is a DOS program"),
        (b"!<arch>\n", "is an archive without any object"),
        (bytes(0x8001) + b"CD001", "is an ISO image"),
        (b"\x7fELF", "the ELF header is broken"),
    ],
)
def test_other_files(
    content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert cli.main([str(path)]) == cli.CANNOT_RUN
    assert words in capsys.readouterr().err
