"""stublint on entries of SYSCALL and SYSENTER: designs that are right, each broken in every way
that a rule knows; where it finds them; and functions that enter ring 3 by a frame of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import ROOT
from elf.symbols import binutil

for module in ("unicorn", "capstone", "elftools"):
    pytest.importorskip(module)

from lint import cli  # noqa: E402
from lint.architecture import (  # noqa: E402
    MSR_LSTAR,
    MSR_SFMASK,
    MSR_STAR,
    MSR_SYSENTER_EIP,
    SYSCALL,
    SYSENTER,
)
from lint.checks import abi  # noqa: E402
from lint.checks.system_call_rules import SYSTEM_CALL_RULES  # noqa: E402
from lint.errors import CannotRun  # noqa: E402
from lint.load import vmstate  # noqa: E402
from lint.load.qmp import booted  # noqa: E402
from linting import KERNEL_C, Report, Workbench  # noqa: E402

HANDLERS = "--pattern", "isr%d"
LINUX_ABI = "--abi", "linux"
DESIGNS = {"LINUX": SYSCALL, "MINIMAL": SYSCALL, "IRETQ": SYSCALL, "TWO_STACKS": SYSCALL,
           "SYSENTER": SYSENTER}  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def lint(bench: Workbench, design: str, bug: str, *options: object) -> Report:
    """Lint syscall.asm as @design with @bug."""
    return bench.lint(bench.assemble("syscall.asm", bug, design=design), *HANDLERS, *options)


@dataclass(frozen=True)
class Bug:
    """How a design is broken, and the only rule that must say so, but for @also."""

    rule: str
    name: str
    designs: tuple[str, ...]
    options: tuple[str, ...] = ()
    also: str = ""
    vectors: tuple[int, ...] = ()  # those of the design if empty


SWAPPING = ("LINUX", "IRETQ")
BY_SYSCALL = ("LINUX", "MINIMAL", "IRETQ")
BY_SYSRET = ("LINUX", "MINIMAL")
ALL = tuple(DESIGNS)

BUGS = (
    Bug("sfmask-flags", "SFMASK_NO_IF", BY_SYSCALL),
    Bug("sfmask-flags", "SFMASK_NO_TF", BY_SYSCALL),
    Bug("sfmask-flags", "SFMASK_NO_DF", BY_SYSCALL),
    Bug("sfmask-flags", "SFMASK_NO_AC", BY_SYSCALL),
    Bug("sfmask-flags", "SFMASK_NO_NT", BY_SYSCALL),
    Bug("star-selectors", "STAR_NO_RPL", BY_SYSRET),
    Bug("star-selectors", "STAR_KERNEL", BY_SYSRET),
    Bug("syscall-target", "NONE", ("MINIMAL",), ("--syscall", "user_rsp")),
    Bug("syscall-user-stack", "PUSH_FIRST", BY_SYSCALL),
    Bug("syscall-user-stack", "POP_LATE", BY_SYSRET),
    Bug("syscall-user-stack", "NO_SWITCH", ("LINUX",)),
    Bug("syscall-fault-window", "READS_ARGUMENT", BY_SYSCALL),
    Bug("syscall-interruptible", "NO_CLI", BY_SYSRET),
    Bug("syscall-parked", "PARKED", ("MINIMAL",)),
    Bug("syscall-scratch-shared", "NMI_VARIABLE", ("MINIMAL",), vectors=(2,)),
    Bug("syscall-scratch-shared", "NMI_SCRATCH", ("LINUX",), also="gs-user-access",
        vectors=(2,)),
    Bug("syscall-rip-lost", "RCX_LOST", BY_SYSCALL),
    Bug("syscall-rflags-lost", "R11_CLEARED", BY_SYSCALL),
    Bug("syscall-rflags-lost", "R11_LOST", ("MINIMAL",)),
    Bug("syscall-rflags-lost", "R11_IOPL", ("LINUX",)),
    Bug("syscall-rsp-lost", "RSP_LOST", (*BY_SYSCALL, "TWO_STACKS")),
    Bug("sysret-not-canonical", "UNCHECKED", BY_SYSRET),
    Bug("sysret-not-canonical", "CHECKED_EARLY", ("LINUX",)),
    Bug("sysret-operand-size", "SYSRET_32", BY_SYSRET),
    Bug("syscall-register-lost", "R12_LOST", ALL),
    Bug("syscall-register-lost", "SWAPPED", ("LINUX",), LINUX_ABI),
    Bug("syscall-register-lost", "RDI_LOST", ALL, LINUX_ABI),
    Bug("syscall-register-lost", "LEAK_BY_C", ALL, LINUX_ABI),
    Bug("syscall-leak", "LEAK_BY_C", ALL),
    Bug("syscall-leak", "LEAK_OF_STACK", ALL),
    Bug("nt-set", "NT_KEPT", ("SYSENTER",)),
    Bug("frame-selectors", "FRAME_SS", SWAPPING),
    Bug("frame-selectors", "FRAME_CS", ("IRETQ",)),
    # The rules of stubs that hold for these as well.
    Bug("stack-misaligned", "MISALIGNED", ALL),
    Bug("swapgs-missing", "NO_SWAPGS_IN", (*SWAPPING, "SYSENTER")),
    Bug("swapgs-unbalanced", "NO_SWAPGS_OUT", (*SWAPPING, "SYSENTER")),
    Bug("swapgs-interruptible", "NO_CLI", ("IRETQ",)),
    Bug("gs-user-access", "GS_AFTER", ("LINUX",)),
    Bug("swapgs-paranoid", "NMI_BY_CS", SWAPPING, vectors=(2,)),
)  # fmt: skip

CASES = [(design, bug) for bug in BUGS for design in bug.designs]


@pytest.mark.parametrize("design", DESIGNS)
def test_a_right_design(design: str, bench: Workbench) -> None:
    for options in ((), LINUX_ABI):
        report = lint(bench, design, "NONE", *options)
        assert (report.status, report.rules()) == (cli.CLEAN, set())
        assert report.coverage["unknown"] == []


@pytest.mark.parametrize(("design", "bug"), CASES, ids=lambda v: getattr(v, "name", v))
def test_a_broken_design(design: str, bug: Bug, bench: Workbench) -> None:
    report = lint(bench, design, bug.name, *bug.options)
    assert report.status == cli.FINDINGS
    assert report.rules() == {bug.rule} | ({bug.also} if bug.also else set())
    finding = report.finding(bug.rule)
    assert finding["vectors"] == list(bug.vectors or (DESIGNS[design],))
    assert finding["fix"] and finding["manual"]


def test_every_rule_is_seen_red() -> None:
    of_ways_in = {"frame-rflags", "frame-address"}
    for_information = {"syscall-rflags-trusted"}
    rules = {rule.name for rule in SYSTEM_CALL_RULES}
    assert rules <= {bug.rule for bug in BUGS} | of_ways_in | for_information


@pytest.mark.parametrize(
    ("bug", "sources"), [("UNCHECKED", {"SYSCALL", "C's change of the frame"}),
                         ("CHECKED_EARLY", {"C's change of the frame"})]
)  # fmt: skip
def test_how_rip_comes_not_to_be_canonical(
    bug: str, sources: set[str], bench: Workbench
) -> None:
    finding = lint(bench, "LINUX", bug).finding("sysret-not-canonical")
    assert {
        words.partition(" after ")[2] for words in (finding["seen"], *finding["also"])
    } == sources


def test_what_c_may_write_into_the_frame(bench: Workbench) -> None:
    report = lint(bench, "IRETQ", "NONE")
    assert report.finding("syscall-rflags-trusted")["severity"] == "INFO"


@pytest.mark.parametrize("helper", ["-O2", "-DNOINLINE"])
def test_c_that_sets_the_registers(helper: str, bench: Workbench) -> None:
    """Also through a function that writes any register, whose caller says which."""
    files = bench.assemble("syscall.asm", "NO_INIT", design="LINUX"), bench.compile(
        "init.c", *KERNEL_C, helper
    )
    report = bench.lint(*files, *HANDLERS)
    assert "SFMASK is 0x47500, which leaves IF" in report.finding("sfmask-flags")["seen"]
    assert report.coverage["unknown"] == []


def test_registers_that_nothing_sets(
    bench: Workbench, capsys: pytest.CaptureFixture[str]
) -> None:
    """The entry is found by its SYSRET; what SFMASK is remains to be said."""
    path = bench.assemble("syscall.asm", "NO_INIT", design="LINUX")
    assert cli.main([str(path), *HANDLERS]) == cli.PARTIAL
    output = capsys.readouterr().out
    assert "linted: 2 vectors and SYSCALL," in output
    assert "NOT known: SFMASK, which was taken for 0x44700" in output
    assert cli.main([str(path), *HANDLERS, "--sfmask", "0x47700"]) == cli.CLEAN
    given = bench.lint(path, *HANDLERS, "--sfmask", "0x47500", "--star", "0x18000800000000")
    assert given.rules() == {"sfmask-flags", "star-selectors"}


def test_another_entry_is_no_secret(bench: Workbench) -> None:
    """LSTAR holds one; the report names the other."""
    report = lint(bench, "LINUX", "ANOTHER_ENTRY")
    assert (report.status, report.rules()) == (cli.PARTIAL, set())
    assert [(f["name"], f["flag"]) for f in report.coverage["unlinted"]] == [
        ("another_entry", "--syscall=another_entry")
    ]


def test_an_entry_by_its_name(bench: Workbench) -> None:
    """That of a kernel without any stub that is known."""
    path = bench.assemble("syscall.asm", "NO_INIT", design="IRETQ")
    report = bench.lint(path, "--syscall", "syscall_entry", "--sfmask", "0x47700")
    assert report.rules() == set()
    assert [function["name"] for function in report.coverage["unlinted"]] == ["isr1", "isr2"]


def test_findings_can_be_allowed(bench: Workbench, tmp_path: Path) -> None:
    allow = tmp_path / "allow"
    allow.write_text("sysret-not-canonical:SYSCALL  the page below is never mapped\n")
    assert lint(bench, "LINUX", "UNCHECKED", "--allow", allow, "--partial-ok").status == cli.CLEAN


def test_a_call_by_int(bench: Workbench, tmp_path: Path) -> None:
    """RAX is its result; what else may change a file says."""
    right = lint(bench, "INT80", "NONE")
    assert (right.status, right.rules()) == (cli.CLEAN, set())
    assert right.finding("rax-returned")["vectors"] == [0x80]
    file = tmp_path / "abi"
    file.write_text("rdi\n")
    assert lint(bench, "INT80", "RDI_LOST", *LINUX_ABI).rules() == {"register-lost"}
    assert lint(bench, "INT80", "RDI_LOST", "--abi", file).rules() == set()


@pytest.mark.parametrize(
    ("bug", "rule", "fix"),
    [
        ("PUSH_FIRST", "syscall-user-stack", "Move `push rcx` behind the load of RSP"),
        ("POP_LATE", "syscall-user-stack", "Move `pop rbx` before the load of RSP"),
        ("NO_SWITCH", "syscall-user-stack", "this entry never does"),
        ("GS_AFTER", "gs-user-access", "before the `swapgs` of the way out"),
        ("NO_SWAPGS_IN", "swapgs-missing", "Begin with `swapgs`"),
        ("SFMASK_NO_NT", "sfmask-flags", "Write 0x47700 to"),
        ("STAR_NO_RPL", "star-selectors", "Write 0x1b000800000000 to STAR"),
    ],
)
def test_a_fix_for_the_code_at_hand(bug: str, rule: str, fix: str, bench: Workbench) -> None:
    assert fix in lint(bench, "LINUX", bug).finding(rule)["fix"]


def test_an_abi_in_a_file(bench: Workbench, tmp_path: Path) -> None:
    file = tmp_path / "abi"
    file.write_text("rcx r11  # by SYSCALL\nrdi\n")
    assert lint(bench, "LINUX", "RDI_LOST", "--abi", file).rules() == set()
    assert lint(bench, "LINUX", "RDI_LOST", *LINUX_ABI).rules() == {"syscall-register-lost"}
    file.write_text("rcx edi\n")
    with pytest.raises(CannotRun, match="edi is none of rax"):
        abi.load(str(file))
    with pytest.raises(CannotRun, match="c, linux, or a file"):
        abi.load(str(tmp_path / "missing"))


@pytest.fixture
def boot(bench: Workbench, tmp_path: Path) -> Callable[..., Path]:
    """boot(bugs...) links the minimal design, with these bugs, to a kernel that QEMU boots."""

    def link(*bugs: str) -> Path:
        path = tmp_path / "kernel.elf"
        objects = [
            bench.assemble("syscall.asm", *bugs, design="MINIMAL"),
            bench.assemble("running.asm", *bugs),
            bench.assemble("../minimal/boot.asm"),
        ]
        command = [binutil("ld"), "-T", ROOT / "tests/minimal/linker.ld", "-z", "noexecstack"]
        subprocess.run([*command, "-o", path, *objects], check=True)
        return path

    return link


def test_a_running_kernel(boot: Callable[..., Path], bench: Workbench) -> None:
    """Its registers come out of the state that QEMU saves, and its GDT is compared with them."""
    report = bench.lint("--boot", boot("NONE"), "--qemu=-m 16M")
    assert report.vectors == [1, 2]
    assert report.coverage["unknown"] == []
    of_calls = {rule.name for rule in SYSTEM_CALL_RULES} | {"nmi-stack"}
    assert report.rules() & of_calls == set()


def test_a_broken_kernel_that_runs(boot: Callable[..., Path], bench: Workbench) -> None:
    bugs = "SFMASK_NO_IF", "NO_IST", "GDT_ORDER", "UNCHECKED"
    report = bench.lint("--boot", boot(*bugs), "--qemu=-m 16M")
    assert report.finding("sfmask-flags")["seen"].startswith("SFMASK is 0x47500")
    assert report.finding("nmi-stack")["vectors"] == [2]
    assert "0x2b is no 64-bit code of ring 3" in report.finding("star-selectors")["seen"]
    assert report.finding("sysret-not-canonical")


def test_a_machine_runs_on_after_its_registers_were_read(boot: Callable[..., Path]) -> None:
    with booted(str(boot("NONE")), "-m 16M") as running:
        with running.stopped():
            assert set(vmstate.msrs(running.saved_state())) == {
                MSR_SYSENTER_EIP, MSR_STAR, MSR_LSTAR, MSR_SFMASK
            }  # fmt: skip
        assert running.execute("query-status")["running"]


def test_a_state_that_is_none() -> None:
    assert vmstate.msrs(b"") == vmstate.msrs(b"\6\0\0\0\1x"[:3]) == {}


@pytest.mark.parametrize(
    ("part", "rule", "words"),
    [
        ("USER_CS=0x20", "frame-selectors", "CS 0x20 and SS 0x1b"),
        ("USER_SS=0x18", "frame-selectors", "CS 0x23 and SS 0x18"),
        ("USER_RFLAGS=2", "frame-rflags", "RFLAGS 0x2: without IF"),
        ("USER_RFLAGS=0x3202", "frame-rflags", "with IOPL"),
        ("USER_RIP=0x800000000000", "frame-address", "RIP 0x800000000000"),
        ("USER_CS=0x23", "", ""),
        ("USER_RFLAGS=0x200", "", ""),  # the CPU sets bit 1
    ],
)
def test_a_way_into_ring_3(part: str, rule: str, words: str, bench: Workbench) -> None:
    report = bench.lint(bench.assemble("coverage.asm", "OWN_FRAME", defines=(part,)))
    assert report.rules() == ({rule} if rule else set())
    assert report.status == (cli.FINDINGS if rule else cli.CLEAN)
    if rule:
        assert words in report.finding(rule)["seen"]


def test_a_way_into_ring_3_by_sysret(bench: Workbench) -> None:
    for flags, rules in (("0x202", set()), ("2", {"frame-rflags"})):
        path = bench.assemble("coverage.asm", "BY_SYSRET", defines=(f"USER_RFLAGS={flags}",))
        report = bench.lint(path)
        assert report.rules() == rules
        assert report.coverage["own_frames"] == ["enter_by_sysret"]


def test_a_way_into_ring_3_that_no_run_gets_to(
    bench: Workbench, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bench.assemble("coverage.asm", "OWN_FRAME", defines=("WAITS",))
    assert cli.main([str(path)]) == cli.PARTIAL
    assert "NOT linted: enter_ring3" in capsys.readouterr().out
