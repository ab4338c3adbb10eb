"""`make explore ELF=`: the stubs of another kernel, played with what stublint finds in them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import BUILD, ROOT

for module in ("unicorn", "capstone", "elftools"):
    pytest.importorskip(module)

import played  # noqa: E402
from elf.symbols import binutil  # noqa: E402
from explorer import foreign, pack  # noqa: E402
from explorer.browser import Browser  # noqa: E402
from explorer.foreign import Kernel  # noqa: E402
from linting import KERNEL_C, SOURCES, Workbench  # noqa: E402
from test_page import AXE_TAGS, findings, text, texts  # noqa: E402

SAVED = "rax rcx rdx rbx rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
FRAME = ["ss", "rsp", "rflags", "cs", "rip"]

Link = Callable[..., Path]


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Link:
    """link(bugs...) is a kernel of tests/lint/stubs.asm with these bugs, linked, with its DWARF."""

    def make(*bugs: str) -> Path:
        folder = tmp_path_factory.mktemp("kernel")
        stubs, kernel = folder / "stubs.o", folder / "kernel.elf"
        command = ["nasm", "-f", "elf64", "-g", "-F", "dwarf", "-I", f"{SOURCES}/", "-o", stubs]
        command += [f"-DBUG_{bug}" for bug in bugs]
        subprocess.run([*command, SOURCES / "stubs.asm"], check=True)
        c = Workbench(folder).compile("handler.c", *KERNEL_C)
        options = ["-Ttext=0x100000", "-e", "0", "-z", "noexecstack"]
        subprocess.run([binutil("ld"), *options, "-o", kernel, stubs, c], check=True)
        return kernel

    return make


@pytest.fixture(scope="module")
def swapped(link: Link) -> Kernel:
    """With two pops in the wrong order."""
    return foreign.record([str(link("SWAPPED"))])


def recording_of(kernel: Kernel, name: str) -> dict:
    return next(recording for recording in kernel.recordings if recording["name"] == name)


def behind(recording: dict) -> dict[str, str]:
    return list(played.states(recording))[-1][0]


def slots(recording: dict, who: str) -> list[str]:
    written = [slot for step in recording["steps"] for slot in step.get("write", [])]
    return [name for _address, _value, writer, name in written if writer == who]


def test_a_finding_is_at_its_instruction(swapped: Kernel) -> None:
    (finding,) = swapped.findings
    assert finding["rule"] == "registers-swapped" and finding["fix"] and finding["manual"]
    recording = recording_of(swapped, finding["recording"])
    step = recording["steps"][finding["step"]]
    assert [found["rule"] for found in step["finding"]] == ["registers-swapped"]
    code = recording["code"][step["rip"]]
    assert code["text"] == "pop r9"
    assert swapped.sources[code["file"]].splitlines()[code["line"] - 1].split() == ["pop", "r9"]
    before, after = recording["start"]["registers"], behind(recording)
    lost = {name for name in SAVED if after[name] != before[name].zfill(16)}
    assert lost == {"r8", "r9"}


def test_right_stubs_come_back_with_all_as_it_was(link: Link) -> None:
    kernel = foreign.record([str(link())])
    assert kernel.findings == []
    named = {(recording["vector"], recording["ring"]) for recording in kernel.recordings}
    assert {(14, 0), (14, 3), (2, 0), (8, 3)} <= named
    for recording in kernel.recordings:
        before, after = recording["start"]["registers"], behind(recording)
        before = {name: value.zfill(len(after[name])) for name, value in before.items()}
        assert after == before, recording["name"]
        assert recording["code"][recording["steps"][-1]["rip"]]["text"] == "iretq"
        assert not [step for step in recording["steps"] if "finding" in step]


def test_each_slot_has_its_writer(swapped: Kernel) -> None:
    fault, plain = recording_of(swapped, "14-pf-ring-3"), recording_of(swapped, "0-de-ring-0")
    assert slots(fault, "CPU") == [*FRAME, "error code"] and slots(fault, "stub") == ["vector"]
    assert slots(plain, "CPU") == FRAME and slots(plain, "stub") == ["error code", "vector"]
    for recording in (fault, plain):
        assert slots(recording, "trap_entry") == [*SAVED, "return address"]
    assert fault["actors"] == {"stub": "isr14", "trap_entry": "entry_code"}
    assert [step["stack"] for step in fault["steps"] if "stack" in step] == ["RSP0", "user"]


# However a stub goes wrong, its recording ends where its run does.
@pytest.mark.parametrize(
    "bug, rule, last",
    [
        ("LOST", "execution-lost", "jmp "),
        ("INVALID", "invalid-instruction", "(no"),
        ("WILD_ACCESS", "wild-access", "mov rax, qword ptr [rax]"),
        ("RET", "return-by-ret", "ret"),
        ("HALTS", "never-returns", ""),
    ],
)
def test_a_run_that_does_not_return_is_played_to_its_end(
    tmp_path: Path, bug: str, rule: str, last: str
) -> None:
    stubs = Workbench(tmp_path).assemble("stubs.asm", bug)
    kernel = foreign.record([str(stubs)])
    finding = next(finding for finding in kernel.findings if finding["rule"] == rule)
    recording = recording_of(kernel, finding["recording"])
    assert "finding" in recording["steps"][finding["step"]]
    end = recording["code"][recording["steps"][-1]["rip"]]
    assert end["text"].startswith(last) and recording["note"] != foreign.ENDS["iretq"]


def test_what_cannot_be_played_is_told(tmp_path: Path) -> None:
    no_kernel, no_stubs = tmp_path / "text.elf", Workbench(tmp_path).compile("handler.c", *KERNEL_C)
    no_kernel.write_text("no ELF file")
    for file, words in (
        (tmp_path / "none.elf", "No such file"),
        (no_kernel, "is not an ELF"),
        (no_stubs, "no interrupt stub was found"),
    ):
        command = [sys.executable, str(ROOT / "scripts/explore"), str(BUILD), str(file)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1 and words in done.stderr and str(file) in done.stderr
        assert "Traceback" not in done.stderr and done.stdout == ""


def test_stubs_without_symbols_are_played_without_their_source(link: Link) -> None:
    file = link("SWAPPED")
    subprocess.run([binutil("strip"), file], check=True)
    kernel = foreign.record([str(file)])
    assert [finding["rule"] for finding in kernel.findings] == ["registers-swapped"]
    assert kernel.findings[0]["step"] is not None and kernel.sources == {}


@pytest.fixture(scope="module")
def their_page(swapped: Kernel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "index.html"
    pack.write(pack.foreign_data(swapped), file)
    return file


def test_the_page_leads_to_the_finding(
    browser: Browser, their_page: Path, swapped: Kernel, axe: str
) -> None:
    browser.prefer(motion="reduce")
    browser.open(their_page, visited=False)
    assert texts(browser, "nav a") == ["Explore", "Findings", "About"]
    assert texts(browser, ".found-card h2") == ["registers-swapped"]
    assert findings(browser, axe, AXE_TAGS) == [], "the list"
    browser.run("document.querySelector('.found-card .button').click(); return settled()")
    finding = swapped.findings[0]
    assert text(browser, ".transport .count").startswith(f"{finding['step']} / ")
    assert text(browser, ".instruction") == "pop r9"
    assert finding["seen"] in text(browser, ".now .finding")
    assert "isr" in text(browser, ".slots") and "the CPU" in text(browser, ".slots")
    assert findings(browser, axe, AXE_TAGS) == [], "the step"
    browser.size("phone")
    browser.go("#/trap/14-pf-ring-3/20/vs/14-pf-ring-0")
    assert len(texts(browser, ".few")) == 2
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    browser.go("#/about")
    assert "stublint" in text(browser, "main")
    assert text(browser, "#problems") == ""


def test_their_recordings_play_to_their_end(
    browser: Browser, their_page: Path, swapped: Kernel
) -> None:
    browser.open(their_page, "#/about")
    for recording in swapped.recordings[:3]:
        browser.go(f"#/trap/{recording['name']}/0")
        seen = played.shown(browser.run, recording)
        for number, ((registers, stack), has) in enumerate(zip(played.states(recording), seen)):
            where = f"{recording['name']}, step {number}"
            assert has[0] == registers and has[1] == stack, where
            assert has[3] == played.instruction(recording, number), where
