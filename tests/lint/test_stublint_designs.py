"""stublint on paths that are right in unusual ways, and on what compilers make of right C: each was
once a false finding."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

for module in ("unicorn", "capstone", "elftools"):
    pytest.importorskip(module)

from lint import cli  # noqa: E402
from linting import KERNEL_C, Report, Workbench  # noqa: E402


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def without(flag: str) -> list[str]:
    """KERNEL_C but for @flag."""
    return [other for other in KERNEL_C if other != flag]


def lint_design(bench: Workbench, name: str, *files: object) -> Report:
    """Lint designs.asm as the design of this name."""
    return bench.lint(bench.assemble("designs.asm", design=name), *files)


@pytest.mark.parametrize(
    "name", ["SWAPS_BACK", "SGDT", "NO_SWAPGS", "GS_IN_C", "CALL_NEXT", "EXTERN", "ALL_STATE"]
)
def test_a_right_design(name: str, bench: Workbench) -> None:
    report = lint_design(bench, name)
    assert (report.status, report.rules()) == (cli.CLEAN, set())


def test_gs_is_swapped_back_although_c_uses_it(bench: Workbench) -> None:
    user = bench.compile("handler.c", *KERNEL_C, "-DUSES_GS")
    assert "swapgs-missing" in lint_design(bench, "SWAPS_BACK", user).rules()


def test_c_that_saves_everything(bench: Workbench) -> None:
    gentle = bench.compile("gentle.c", *without("-g"))
    assert lint_design(bench, "SAVES_ALL", gentle).rules() == set()


def test_external_variables_are_zero_and_named(
    bench: Workbench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint_design(bench, "EXTERN").coverage["external"] == ["buffer", "buffer_size"]
    assert "defined in none of these files, taken for 0: buffer, buffer_size" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("NOTHING", [*KERNEL_C, "-gdwarf-2", "-gstrict-dwarf"]),
        ("VARIADIC", [*without("-mgeneral-regs-only"), "-O0"]),
        ("FENCES", KERNEL_C),
        ("ADDS_MINUS_128", KERNEL_C),
    ],
)
def test_right_c(name: str, flags: list[str], bench: Workbench) -> None:
    stubs = bench.assemble("stubs.asm")
    report = bench.lint(stubs, bench.compile("handler.c", *flags, f"-D{name}"))
    assert (report.status, report.findings) == (cli.CLEAN, [])


def test_misalignment_that_is_there_anyway_does_not_come_of_a_missing_code(
    bench: Workbench,
) -> None:
    report = lint_design(bench, "HALTS", "--pattern", "isr%d")
    assert report.rules() == {"stack-misaligned"}
    assert report.finding("stack-misaligned")["vectors"] == [0, 1, 3]


@pytest.mark.parametrize("wrong", [False, True])
def test_fields_of_a_base_class(wrong: bool, bench: Workbench) -> None:
    bug = ["-DFIELDS_SWAPPED"] if wrong else []
    clang = shutil.which("clang")
    if clang is None:
        pytest.skip("without Clang")
    cxx = bench.compile("handler.cpp", *KERNEL_C, *bug, compiler=clang)
    found = bench.lint(bench.assemble("stubs.asm"), cxx).rules()
    assert found == ({"struct-field"} if wrong else set())
