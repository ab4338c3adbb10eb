"""The path in another kernel: tests/minimal/ and the files that README.md says to copy, and nothing
else, build into a kernel that takes traps and returns from them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT
from emulator import qemu
from elf.symbols import binutil

MINIMAL = ROOT / "tests" / "minimal"
LISTED = re.compile(r"## Take it into your kernel.*?```\n(.*?)```", re.DOTALL)

C_FLAGS = "-std=c17 -O2 -ffreestanding -fno-pic -mgeneral-regs-only -mno-red-zone".split()
C_FLAGS += "-fno-stack-protector -fcf-protection=branch -Wall -Wextra -Werror".split()

# #UD is a fault, whose handler goes on behind UD2; INT 13 and INT 8 push no code.
SEEN = """\
BP no code
UD no code
GP no code
DF no code
PF code 0000000000000000
done
"""


def listed() -> list[str]:
    """The files to copy, as README.md names them."""
    return LISTED.search((ROOT / "README.md").read_text())[1].split()


def run(*command: object, cwd: Path) -> None:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernel, built in a directory where there is nothing else."""
    tree = tmp_path_factory.mktemp("minimal")
    for name in [*listed(), *(f"tests/minimal/{file.name}" for file in MINIMAL.iterdir())]:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tree / name)
    objects = []
    for source in sorted([*tree.rglob("*.asm"), *tree.rglob("*.c")]):
        objects.append(source.with_suffix(source.suffix + ".o"))
        if source.suffix == ".asm":
            run("nasm", "-f", "elf64", "-I", "kernel/", "-I", "asm/", "-o", objects[-1], source,
                cwd=tree)
        else:
            run(binutil("gcc"), *C_FLAGS, "-Ikernel", "-c", "-o", objects[-1], source, cwd=tree)
    run(binutil("ld"), "-T", "tests/minimal/linker.ld", "-z", "noexecstack", "-o", "kernel.elf",
        "--no-warn-rwx-segments", *objects, cwd=tree)
    return tree / "kernel.elf"


def test_it_boots_and_takes_traps(kernel: Path) -> None:
    command = [qemu.EMULATOR, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
    command += ["-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
    done = subprocess.run(
        [*command, "-kernel", kernel], capture_output=True, text=True, stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.stdout.replace("\r", "") == SEEN, done.stderr
