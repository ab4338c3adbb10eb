"""stublint on the bug museum: every mistake that breaks the contract is found under its rule."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT

for module in ("unicorn", "capstone", "elftools"):
    pytest.importorskip(module)

from lint import cli  # noqa: E402
from museum.bugs import PATCHES, Tree, bugs  # noqa: E402

# By what the patch must be built into to be seen: two objects, the linked kernel with its C, or
# a machine with its tables.
IN_OBJECTS = {
    "code-dropped-twice": "code-dropped-twice",
    "code-kept": "code-not-dropped",
    "dummy-on-code": "dummy-code-extra",
    "int13": "no-code-frame",
    "iretd": "return-by-iret",
    "no-cld": "df-set",
    "no-code-21": "dummy-code-extra",
    "no-code-29": "dummy-code-extra",
    "no-code-30": "dummy-code-extra",
    "no-dummy": "dummy-code-missing",
    "no-realign": "stack-misaligned",
    "pops-in-push-order": "registers-swapped",
    "pops-swapped": "registers-swapped",
    "r8-r11-not-saved": "register-lost",
    "rbp-clobbered": "register-lost",
    "realign-kept": "return-off-frame",
    "register-not-saved": "register-lost",
    "ret": "return-by-ret",
    "rflags-changed": "frame-rewritten",
    "sti-too-early": "early-sti",
    "vector-imm8": "vector-sign-extended",
}
IN_THE_KERNEL = {
    "red-zone": "red-zone",
    "sse-not-saved": "sse-unsaved",
    "stack-argument": "struct-by-value",
}
IN_THE_MACHINE = {
    "df-without-ist": "double-fault-stack",
    "nmi-shared-ist": "ist-shared",
    "no-clac": "ac-set",
    "stride": "stub-outgrown",
}
BEYOND = {
    "argument-after-realign": "the frame is aligned, so RSP is the same before and after",
    "code-9": "the entry opens the slot that is missing",
    "eoi-for-spurious": "an interrupt controller's matter",
    "no-eoi": "an interrupt controller's matter",
}


def lint(tmp_path: Path, *arguments: object) -> set[str]:
    """Return the rules that stublint finds broken."""
    answer = tmp_path / "report.json"
    assert cli.main([*map(str, arguments), "--json", str(answer)]) == cli.FINDINGS
    return {finding["rule"] for finding in json.loads(answer.read_text())["findings"]}


@pytest.mark.parametrize("name", IN_OBJECTS)
def test_found_in_the_objects(name: str, tmp_path: Path) -> None:
    for part in ("asm", "kernel"):
        shutil.copytree(ROOT / part, tmp_path / part)
    patch = ["patch", "-p1", "--batch", "-s", "-i", PATCHES / f"{name}.patch"]
    subprocess.run(patch, cwd=tmp_path, check=True)
    objects = []
    for source in ("stubs", "entry"):
        objects.append(tmp_path / f"{source}.o")
        command = ["nasm", "-f", "elf64", "-I", "kernel/", "-I", "asm/", "-o", objects[-1]]
        subprocess.run([*command, f"asm/{source}.asm"], cwd=tmp_path, check=True)
    assert IN_OBJECTS[name] in lint(tmp_path, *objects)


@pytest.mark.parametrize("name", [*IN_THE_KERNEL, *IN_THE_MACHINE])
def test_found_in_the_kernel(name: str, tmp_path: Path) -> None:
    tree = Tree(f"lint-{name}")
    try:
        tree.apply(next(bug for bug in bugs() if bug.name == name))
        if name in IN_THE_KERNEL:
            found = lint(tmp_path, tree.make("barestub.elf"))
            assert IN_THE_KERNEL[name] in found
        else:
            found = lint(tmp_path, "--boot", tree.make("barestub.iso"))
            assert IN_THE_MACHINE[name] in found
    finally:
        shutil.rmtree(tree.path)


def test_no_mistake_is_forgotten() -> None:
    assert {bug.name for bug in bugs()} == {*IN_OBJECTS, *IN_THE_KERNEL, *IN_THE_MACHINE, *BEYOND}
