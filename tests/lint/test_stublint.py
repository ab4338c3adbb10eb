"""stublint on stubs made for it: what it says of right ones and of broken ones, and how."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from conftest import BUILD, ROOT
from elf.symbols import binutil
from emulator.qemu import qemu_command
from guest import PROMPT

for module in ("unicorn", "capstone", "elftools"):
    pytest.importorskip(module)

from edits import BUGS, Bug  # noqa: E402
from lint import cli  # noqa: E402
from lint.checks.rules import RULES  # noqa: E402
from lint.checks.system_call_rules import SYSTEM_CALL_RULES  # noqa: E402
from lint.load.qmp import connect  # noqa: E402
from lint.load.sources import load_image  # noqa: E402
from linting import KERNEL_C, OUR_KERNEL, Report, Workbench  # noqa: E402

Lint = Callable[..., Report]


@pytest.fixture
def lint(tmp_path: Path) -> Lint:
    """lint(files, options...) runs stublint and returns its report."""
    return Workbench(tmp_path).lint


@pytest.fixture
def stubs(tmp_path: Path) -> Callable[..., Path]:
    """stubs(bugs...) assembles tests/lint/stubs.asm with these bugs."""
    return partial(Workbench(tmp_path).assemble, "stubs.asm")


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[..., Path]:
    """compiled(source, flags...) compiles a file of tests/lint."""
    return Workbench(tmp_path).compile


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_a_bug_is_found_under_its_rule(
    bug: Bug, lint: Lint, stubs: Callable[..., Path], compiled: Callable[..., Path]
) -> None:
    files = [stubs(*bug.stubs)]
    if bug.c is not None:
        flags = [flag for flag in KERNEL_C if flag != bug.without]
        files.append(compiled("handler.c", *flags, *(f"-D{name}" for name in bug.c)))
    report = lint(*files, *bug.options)
    finding = report.finding(bug.rule)
    assert report.rules() - {bug.rule} == set(bug.also)
    assert finding["severity"] == (bug.severity or RULES[bug.rule].severity)
    without_findings = cli.PARTIAL if bug.partial else cli.CLEAN
    assert report.status == (cli.FINDINGS if report.rules() else without_findings)
    assert finding["fix"] and finding["manual"] and finding["due"]


def test_one_mistake_is_one_finding(lint: Lint, stubs: Callable[..., Path]) -> None:
    """A swap in the common path is said once for all vectors, with the registers' names."""
    report = lint(stubs("SWAPPED"))
    assert report.rules() == {"registers-swapped"}
    finding = report.finding("registers-swapped")
    assert len(finding["vectors"]) == 26
    assert "r8 <- r9" in finding["seen"]


def test_right_stubs_are_clean(
    lint: Lint, stubs: Callable[..., Path], compiled: Callable[..., Path]
) -> None:
    report = lint(stubs(), compiled("handler.c", *KERNEL_C))
    assert (report.status, report.findings) == (cli.CLEAN, [])


@pytest.mark.parametrize("what", ["CR2_EARLY", "BREAKPOINT"])
def test_near_a_mistake_and_none(what: str, lint: Lint, stubs: Callable[..., Path]) -> None:
    """CR2 is read in time; one INT3 is somebody's breakpoint, and no padding."""
    assert lint(stubs(what)).rules() == set()


def test_stubs_in_gas(lint: Lint, compiled: Callable[..., Path]) -> None:
    """Found by the table of pointers; moves are followed as well as pushes."""
    right = compiled("gas.S")
    assert not lint(right, "--table", "trap_table").rules("ERROR", "ABI")
    assert [10, 14] == lint(right).finding("no-code-frame")["vectors"]
    broken = lint(compiled("gas.S", "-DBROKEN"))
    assert "r9 <- r10" in broken.finding("registers-swapped")["seen"]


def test_stubs_as_rustc_makes_them(lint: Lint, compiled: Callable[..., Path]) -> None:
    """Found by the mangled names of exceptions; a handler that diverges is no error."""
    assert not lint(compiled("rust.S")).rules("ERROR", "ABI", "LATENT")
    broken = lint(compiled("rust.S", "-DBROKEN"))
    assert broken.rules() == {"code-not-dropped"}
    assert broken.finding("code-not-dropped")["at"][0]["place"].startswith("kernel::interrupts")


@pytest.mark.parametrize("optimize", ["-O0", "-O2", "-Os"])
def test_the_compilers_own_handlers_are_clean(
    optimize: str, lint: Lint, compiled: Callable[..., Path]
) -> None:
    assert not lint(compiled("attribute.c", *KERNEL_C, optimize)).rules()


@pytest.mark.parametrize("what", ["linked", "objects"])
def test_our_kernel_is_clean(what: str, lint: Lint) -> None:
    objects = [BUILD / "asm/stubs.asm.o", BUILD / "asm/entry.asm.o"]
    report = lint(*(OUR_KERNEL if what == "linked" else objects))
    assert (report.status, report.rules()) == (cli.CLEAN, set())


def test_our_running_kernel_is_clean(lint: Lint, iso: str) -> None:
    """Without any symbol: gates, IST stacks and stubs as the CPU has them."""
    report = lint("--boot", iso, "--after", 60)
    assert (report.status, report.rules()) == (cli.CLEAN, set())


def test_a_qemu_that_runs_already(lint: Lint, iso: str, tmp_path: Path) -> None:
    """It is held while its memory is read, and runs on."""
    socket, serial = tmp_path / "qmp", tmp_path / "serial"
    command = [*qemu_command(iso, False, str(tmp_path)), "-display", "none"]
    command += ["-serial", f"file:{serial}", "-qmp", f"unix:{socket},server=on,wait=off"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not (serial.exists() and PROMPT in serial.read_text(errors="replace")):
            assert time.monotonic() < end, "no prompt came"
            time.sleep(0.2)
        report = lint("--qmp", socket, *OUR_KERNEL)
        assert (report.status, report.rules()) == (cli.CLEAN, set())
        qmp = connect(str(socket))
        assert qmp.execute("query-status")["running"]
        qmp.close()
    finally:
        process.kill()
        process.wait()


def test_every_vector_is_run_in_all_variants(tmp_path: Path) -> None:
    answer = tmp_path / "report.json"
    cli.main([str(BUILD / "barestub.elf"), "--json", str(answer)])
    report = json.loads(answer.read_text())
    assert len(report["vectors"]) == 256
    assert report["runs"] > 1500


def test_source_lines_do_not_hang_on_a_table_of_addresses(tmp_path: Path) -> None:
    """Clang writes none: then all units of the DWARF are looked through."""
    bare = tmp_path / "bare.elf"
    command = [binutil("objcopy"), "--remove-section", ".debug_aranges"]
    subprocess.run([*command, BUILD / "barestub.elf", bare], check=True)
    for path in (BUILD / "barestub.elf", bare):
        image = load_image([str(path)])
        dispatch = image.symbol("trap_dispatch").address
        assert image.debug.line(dispatch).startswith("trap.c:")
        assert image.debug.function(dispatch).parameters[0].name == "regs"


def test_an_allow_file_needs_a_reason(
    lint: Lint, stubs: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, allow = stubs("DUMMY_MISSING"), tmp_path / "allow"
    allow.write_text("dummy-code-missing:6   # no reason given\n")
    assert cli.main([str(broken), "--allow", str(allow)]) == cli.CANNOT_RUN
    assert "expected `rule:vectors  reason`" in capsys.readouterr().err
    allow.write_text("dummy-code-missing:5-6  BOUND is not for 64-bit code\n")
    report = lint(broken, "--allow", allow)
    assert report.status == cli.CLEAN
    assert report.finding("dummy-code-missing")["allowed"] == "BOUND is not for 64-bit code"
    allow.write_text("dummy-code-missing:7  another vector\n")
    assert lint(broken, "--allow", allow).status == cli.FINDINGS


def test_sarif(stubs: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "report.sarif"
    assert cli.main([str(stubs("IRET32")), "--sarif", str(path), "--brief"]) == cli.FINDINGS
    run = json.loads(path.read_text())["runs"][0]
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == set(RULES)
    result = next(r for r in run["results"] if r["ruleId"] == "return-by-iret")
    assert result["level"] == "error"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]


def test_the_text_says_where_and_what_to_do(
    stubs: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The picture is at the pop that went wrong, not at the IRETQ that showed it."""
    cli.main([str(stubs("SWAPPED"))])
    text = capsys.readouterr().out
    assert "ERROR registers-swapped  26 vectors: 0-23, 128, 200" in text
    assert ">> " in text and "pop     r9" in text.split(">> ")[1].splitlines()[0]
    assert "the interrupted r8  <- RSP" in text
    assert "fix " in text and "manual " in text
    assert max(map(len, text.splitlines())) <= 110


def test_every_rule_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--rules"]) == cli.CLEAN
    text = capsys.readouterr().out
    for rule in RULES.values():
        assert f"{rule.name}  ({rule.severity})" in text


def test_names_patterns_and_tables(lint: Lint, stubs: Callable[..., Path]) -> None:
    path = stubs()
    table = "--table", "isr0", "--stride", "32", "--count", "24"
    beyond = "--stub", "128=isr128", "--stub", "200=isr200"
    for options in (("--pattern", "isr%d"), (*table, *beyond)):
        assert lint(path, *options).status == cli.CLEAN
    assert lint(path, "--stub", "14=isr14", "--stub", "3=isr3").status == cli.CLEAN
    assert lint(path, "--stub", "14=isr15").finding("dummy-code-extra")
    assert cli.main([str(path), "--pattern", "trap%d"]) == cli.CANNOT_RUN
    assert cli.main([str(path), "--pattern", "isr"]) == cli.CANNOT_RUN
    assert cli.main([str(path), "--table", "nowhere_at_all"]) == cli.CANNOT_RUN


def test_the_command_says_so_when_it_cannot_run(tmp_path: Path) -> None:
    command = [ROOT / "scripts/stublint"]
    for arguments in ([], [tmp_path / "missing.elf"], ["--qmp", tmp_path / "missing.sock"]):
        done = subprocess.run(command + arguments, capture_output=True, text=True)
        assert done.returncode == cli.CANNOT_RUN
        assert done.stderr.startswith("stublint: ") and done.stderr.count("\n") == 1


def test_every_rule_on_stubs_is_seen_red() -> None:
    from test_stublint_gates import SEEN_RED

    in_tables = {"table-short"}  # tests/lint/test_stublint_coverage.py
    of_calls = {rule.name for rule in SYSTEM_CALL_RULES}  # tests/lint/test_stublint_syscall.py
    assert {bug.rule for bug in BUGS} | SEEN_RED | in_tables | of_calls == set(RULES)
