"""The build, with whatever tools there are: no warning, and no end because a tool has changed."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import BUILD, ROOT
from elf.symbols import binutil
from museum.bugs import BuildError, Tree

STACK_BUDGET = ROOT / "scripts" / "build" / "stack_budget"
RANGES = ROOT / "scripts" / "build" / "ranges"
WARNING = "keeps the debugging information"


def make(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


# GCC counts it as the function's, Clang as the caller's.
RETURN_ADDRESS = {"gcc": 8, "clang": 0}

# What comes from other tools is built without a warning beside one of them.
TARGETS = {"gcc": ["silicon/fuzz", "silicon/native", "barestub.elf"], "clang": ["barestub.elf"]}
COPIED = {"gcc": [], "clang": ["nasm-flags", "asm", "tests"]}


@pytest.mark.parametrize("compiler", RETURN_ADDRESS)
def test_there_is_no_warning(compiler: str) -> None:
    """Neither of the compiler, nor of the assembler, nor of the linker; and what the compiler says
    that each function takes of the stack is what scripts/build/stack_budget reads in it."""
    build = without_a_warning(compiler)
    script = runpy.run_path(str(STACK_BUDGET))
    kernel = script["Kernel"](str(build / "barestub.elf"))
    assert kernel.files and script["check"](kernel)

    usage = stack_usage(build)
    differences = Counter()
    for place, name in kernel.names.items():
        if len(usage[name]) == 1:
            deepest = kernel.functions[place].deepest + RETURN_ADDRESS[compiler]
            differences[deepest - usage[name].pop()] += 1
    # More, where RFLAGS is pushed or the compiler aligns the stack: in one function of fifty.
    assert min(differences) == 0 and max(differences) <= 16
    assert differences[0] > 150 and differences[0] > differences.total() * 0.98, differences


def without_a_warning(compiler: str) -> Path:
    """Return where what @compiler builds is kept: what has not changed was built without a warning,
    and make knows what has. Other tools begin anew, and a warning leaves nothing behind."""
    build = BUILD / "no-warning" / compiler
    tools, told = build / "tools.txt", versions(compiler)
    if not (tools.exists() and tools.read_text() == told):
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir(parents=True)
        for name in COPIED[compiler]:
            subprocess.run(["cp", "-Rp", str(BUILD / name), str(build)], check=True)
    targets = [str(build / name) for name in TARGETS[compiler]]
    done = make("WERROR=1", f"CC={compiler} -fstack-usage", f"BUILD={build}", *targets)
    if done.returncode or done.stderr:
        shutil.rmtree(build)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    tools.write_text(told)
    return build


def versions(compiler: str) -> str:
    """Return what decides whether there is a warning, and is no file that make looks at."""
    commands = [[tool, "--version"] for tool in (compiler, "cc", "nasm", "ld")]
    said = [subprocess.run(command, capture_output=True, text=True).stdout for command in commands]
    return "".join([*said, (ROOT / "Makefile").read_text()])


def stack_usage(build: Path) -> dict[str, set[int]]:
    """Return what the compiler has written beside the objects: the bytes of the functions."""
    found = defaultdict(set)
    for file in (build / "kernel").rglob("*.su"):
        if not (ROOT / file.relative_to(build)).with_suffix("").exists():
            continue  # the source has gone
        for line in file.read_text().splitlines():
            place, size, _ = line.split("\t")
            found[place.rpartition(":")[2]].add(int(size))
    return found


@pytest.fixture(scope="module")
def tree() -> Iterator[Tree]:
    """A tree whose C functions can be made worse."""
    made = Tree(f"stack-budget-{os.getpid()}")  # of each worker of pytest-xdist
    yield made
    made.remove()


@pytest.mark.parametrize(
    "file, function, line, said",
    [
        (
            "kernel/report/backtrace.c",
            "void backtrace(",
            "char deep[8192]; peek(deep, rip, 8192);",
            r"error: KERNEL stack: \d+ bytes of 24576\n.*\n  4 times \d+ bytes: .* > backtrace",
        ),
        (
            "kernel/report/backtrace.c",
            "void backtrace(",
            "char deep[512]; peek(deep, rip, 512);",
            r"error: a trap: \d+ bytes of 1792\n  1 times \d+ bytes: .* > backtrace",
        ),
        (
            "kernel/console/console.c",
            "void console_write(",
            'if (length == 77) print("%s", text);',
            "error: the stacks have no budget: recursion: .*console_write > print",
        ),
        (
            "kernel/devices/timer.c",
            "handle_tick(",
            "((void (*)(void))regs->rax)();",
            r"handle_tick in kernel/devices/timer.c calls by a pointer: say to where in POINTERS",
        ),
    ],
)
def test_too_much_for_a_stack_ends_the_build(
    file: str, function: str, line: str, said: str, tree: Tree
) -> None:
    path = tree.path / file
    before = path.read_text()
    head, name, body = before.partition(function)
    assert name
    path.write_text(f'#include "lib/print.h"\n{head}{name}{body.replace("{", "{" + line, 1)}')
    with pytest.raises(BuildError) as refused:
        tree.make("stack-budget.txt")
    path.write_text(before)
    assert re.search(said, str(refused.value))


def test_a_stack_budget_needs_line_numbers(elf: str, tmp_path: Path) -> None:
    bare = str(tmp_path / "bare")
    subprocess.run([binutil("objcopy"), "--strip-debug", elf, bare], check=True)
    done = subprocess.run([str(STACK_BUDGET), bare], capture_output=True, text=True)
    assert done.returncode == 0 and "is not checked: it has no line numbers" in done.stderr


def test_debugging_information_of_another_kind_stays_as_it_is(elf: str, tmp_path: Path) -> None:
    """A section that is missing, and one that says something else: a warning, and the same file."""
    changes = {
        "without": ["--remove-section=.debug_aranges"],
        "otherwise": [f"--update-section=.debug_abbrev={RANGES}"],
    }
    for name, change in changes.items():
        copy = tmp_path / name
        subprocess.run([binutil("objcopy"), *change, elf, str(copy)], check=True)
        before = copy.read_bytes()
        command = [str(RANGES), str(copy), binutil("objcopy")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert WARNING in done.stderr and copy.read_bytes() == before


def test_a_tool_that_is_not_there_does_not_stop_the_build(elf: str, tmp_path: Path) -> None:
    copy = shutil.copy(elf, tmp_path / "copy")
    done = subprocess.run([str(RANGES), copy, "no-such-objcopy"], capture_output=True, text=True)
    assert done.returncode == 0 and WARNING in done.stderr
