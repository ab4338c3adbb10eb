"""stublint gives one finding for one cause, and a fix for the code at hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

for module in ("unicorn", "capstone", "elftools"):
    pytest.importorskip(module)

from linting import KERNEL_C, Workbench  # noqa: E402


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


ONE_MISTAKE = {
    "DUMMY_MISSING": ("dummy-code-missing", ["swapgs-from-ring-0"]),
    "DUMMY_EXTRA": ("dummy-code-extra", ["swapgs-from-ring-0"]),
    "CODE_KEPT": ("code-not-dropped", []),
    "SWAPGS_NEVER": ("swapgs-missing", []),
    "EARLY_STI": ("early-sti", ["swapgs-interruptible"]),
    "SWAPPED": ("registers-swapped", []),
    "POPPED_TOO_FEW": (
        "return-off-frame", ["register-lost", "registers-swapped", "swapgs-unbalanced"],
    ),
    "MISALIGNED_SAVE": ("stack-misaligned", ["operand-misaligned"]),
}  # fmt: skip


@pytest.mark.parametrize("bug", ONE_MISTAKE)
def test_one_mistake_is_one_finding(bug: str, bench: Workbench) -> None:
    """Also if two severities, or consequences, or other words for two vectors come of it."""
    report = bench.lint(bench.assemble("stubs.asm", bug))
    counted = [f for f in report.findings if f["severity"] != "INFO"]
    assert [(f["rule"], f["leads_to"]) for f in counted] == [ONE_MISTAKE[bug]]


def test_calls_of_many_functions_are_misaligned_by_one_mistake(bench: Workbench) -> None:
    report = bench.lint(bench.assemble("many.asm"))
    assert [f["rule"] for f in report.findings if f["severity"] == "ABI"] == ["stack-misaligned"]
    finding = report.finding("stack-misaligned")
    assert finding["vectors"] == list(range(32))
    assert len(finding["at"]) == 32 and len(finding["also"]) == 31


def test_one_struct_is_one_finding(bench: Workbench) -> None:
    c = bench.compile("handler.c", *KERNEL_C, "-DFIELDS_SWAPPED")
    report = bench.lint(bench.assemble("stubs.asm"), c)
    assert len([f for f in report.findings if f["rule"] == "struct-field"]) == 1
    assert report.finding("struct-field")["also"] == ["C's `r15` (offset 8) is the interrupted r14"]


def test_vectors_have_no_random_holes(bench: Workbench) -> None:
    """What hangs on RFLAGS of the interrupted program is tried with the same ones everywhere."""
    report = bench.lint(bench.assemble("stubs.asm", "NO_CLD"))
    without_paranoid = [v for v in (*range(24), 128, 200) if v not in (2, 18)]
    assert report.finding("swapgs-interruptible")["vectors"] == without_paranoid


def test_the_fix_is_for_the_code_at_hand(bench: Workbench) -> None:
    extra = bench.lint(bench.assemble("stubs.asm", "DUMMY_EXTRA"))
    assert "Take the `push 0` out" in extra.finding("dummy-code-extra")["fix"]
    extra = bench.lint(bench.assemble("stubs.asm", "DUMMY_EXTRA", "DUMMY_BY_SUB"))
    assert "push" not in extra.finding("dummy-code-extra")["fix"].replace("pushed", "")
    compiled = bench.lint(bench.compile("attribute.c", *KERNEL_C, "-DWRONG_PARAMETERS"))
    fixes = {f["vectors"][0]: f["fix"] for f in compiled.findings if f["severity"] == "ERROR"}
    assert fixes[13].startswith("Declare the handler with the error code")
    assert fixes[4].startswith("Declare the handler without an error code")


@pytest.mark.parametrize("debug", ["-g", "-g0"])
def test_a_mistake_of_clangs_is_called_so(debug: str, bench: Workbench) -> None:
    clang = shutil.which("clang")
    if clang is None:
        pytest.skip("without Clang")
    flags = [flag for flag in KERNEL_C if not flag.startswith("-fcf")]
    flags = [*flags, "-w", "--target=x86_64-elf", debug]
    report = bench.lint(bench.compile("attribute.c", *flags, "-DCALLS", compiler=clang))
    if "stack-misaligned" in report.rules():  # mended in LLVM 23
        assert "224029" in report.finding("stack-misaligned")["fix"]
    mended = bench.compile("attribute.c", *flags, "-DCALLS", "-mstackrealign", compiler=clang)
    assert "stack-misaligned" not in bench.lint(mended).rules()
