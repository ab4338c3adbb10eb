"""Random programs in ring 3: the kernel survives them, and tells what they have come to; QEMU's log has
the same traps. What the kernel must not let through is found."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from attack.entry import entry
from attack.shrink import shrink
from attack.target import BY_NMI, BY_TIMER, LATE, NUMBER_LIMIT, Answer, Target, code_of
from conftest import BUILD, NO_SCREEN, ROOT, Start
from gdbstub import GdbStub
from guest import PROMPT
from manuals import CONSTANTS
from qemu import Qemu
from elf.symbols import Symbol

USER_END = 1 << 47
PAGE_SIZE = 4096
COLUMNS = 80
PROGRAMS, SEED = 30000, 1
CALL_FROM_RING_3, NMI, TIMER = 128, 2, 64
NAMES = {0: "DE", 1: "DB", 3: "BP", 4: "OF", 5: "BR", 6: "UD", 11: "NP", 12: "SS", 13: "GP", 14: "PF",
         CALL_FROM_RING_3: "USER"}  # fmt: skip


@pytest.fixture(scope="module")
def many() -> Answer:
    with Target(BUILD, "qemu") as target:
        return target.run(PROGRAMS, SEED, 0)


def test_the_kernel_survives_them(many: Answer) -> None:
    assert (many.end, many.findings) == ("", {})
    kinds = many.counts
    ended = sum(count for name, count in kinds.items() if name != LATE)
    assert ended == PROGRAMS
    assert {"DE", "DB", "BP", "UD", "GP", "PF", "USER"} <= set(kinds)
    assert max(map(len, many.text.splitlines())) < COLUMNS


def test_the_cpu_comes_back_from_those_that_keep_it(many: Answer) -> None:
    """By the timer, and by an NMI where interrupts are off."""
    assert many.counts[BY_TIMER] > 0
    assert many.counts[BY_NMI] > 0


# What programs must still come to, by what they have. QEMU has no #AC, #XM, #CP, and no CET.
ENDED_BY = {
    "traps on purpose": "DB BP UD GP",
    "ways into ring 0": "UD GP PF",
    "selectors": "NP GP PF UD",
    "far transfers": "NP GP PF USER",
    "MOV SS and a trap": "BP DB GP SS USER",
    "CR, DR, MSR, tables": "UD GP PF",
    "FS and GS bases": "UD GP PF",
    "protection keys": "UD GP PF",
    "XSAVE": "UD GP PF",
    "x87, SSE, AVX": "UD GP PF",
    "CET": "UD GP PF",
    "POPF": "DB BP UD GP PF",
    "ports, HLT, CPUID": "UD GP PF",
    "virtual machines": "UD PF",
    "the stack": "GP PF",
    "arithmetic": "DE UD GP PF",
    "random bytes": "DB BP UD GP PF",
    "endless loops": "NMI TIMER GP",
    "an LDT": "DE DB BP NP GP PF UD",
    "32-bit or 16-bit": "DB BP OF BR NP GP PF UD",
    "DR0 watches data": "DB",
    "DR1 on its code": "DB",
    "RFLAGS.TF": "DB",
    "RFLAGS.AC": "GP",
    "RFLAGS.NT": "GP",
    "RFLAGS.RF": "GP",
    "IF clear": "NMI",
    "IOPL 3": "NMI TIMER",
    "kernel's addresses": "GP PF",
}


def test_each_kind_of_program_is_there_and_comes_to_its_traps(many: Answer) -> None:
    assert list(many.kinds) == list(ENDED_BY)
    for name, due in ENDED_BY.items():
        assert set(due.split()) <= many.kinds[name].ended_by, name


# call .f; nop; .f: inc qword [rsp]; ret
RET_ELSEWHERE = "e80100000090" + "48ff0424" + "c3"
# lea rax, [rip + 2]; jmp rax; nop: behind a jump INT3 is let through
JMP_TO_NOP = "488d0502000000" + "ffe0" + "90"


def test_what_qemu_has_not_comes_on_bochs() -> None:
    """#AC, #XM, and #CP in ring 3: by a shadow stack alone, and by tracking alone."""
    with Target(BUILD, "bochs") as target:
        answer = target.run(1500, SEED, 0)
        returns, jumps = (target.run(50, SEED, 0, code) for code in (RET_ELSEWHERE, JMP_TO_NOP))
    assert (answer.end, answer.findings) == ("", {})
    assert {"AC", "XM", "CP"} <= set(answer.counts)
    assert "AC" in answer.kinds["RFLAGS.AC"].ended_by
    assert "CP" in answer.kinds["CET"].ended_by
    assert "CP" in returns.kinds["a shadow stack"].ended_by
    assert "CP" in jumps.kinds["branches tracked"].ended_by


def test_qemu_tells_the_blocks_of_the_kernel_that_were_reached(
    many: Answer, symbols: dict[str, Symbol]
) -> None:
    """Each vector that ring 3 can raise, and each way through the handlers."""
    reached = {name for name, symbol in symbols.items() if symbol.address in many.new_blocks}
    assert {f"isr_{vector}_{NAMES[vector]}" for vector in (0, 1, 3, 4, 6, 13, 14, 128)} <= reached
    assert {"trap_entry", "trap_entry_code", "isr_2_NMI", "on_tick", "fix_up"} <= reached


def test_the_watchdog_ends_with_them(machine: Qemu) -> None:
    """The timer ticks on, and no NMI comes any more."""

    def nmis() -> str:
        return re.search(r"^ +2 +NMI .* (\d+) +Non-Maskable", machine.ask("vectors"), re.MULTILINE)[1]

    machine.ask("hostile 100")
    before = nmis()
    assert "result: name=irq-timer pass\n" in machine.ask("raise irq-timer")
    assert nmis() == before


def test_the_log_has_the_same_traps(at_prompt: Start) -> None:
    """Three for each program: of the witness, its own, and of the witness again."""
    with at_prompt() as machine:
        answer = Answer(machine.ask(f"hostile 300 {SEED} 1000"))
        records = [record for record in machine.interrupts() if record.delivered]
    assert not [record for record in records if record.cpl == 0 and record.rip < USER_END]
    seen = Counter(r.vector for r in records if r.cpl == 3 and not r.hardware and r.vector != NMI)
    told = answer.counts
    kept = told.pop(BY_TIMER) + told.pop(BY_NMI)
    assert sum(seen.values()) == 3 * 300 - kept
    seen[CALL_FROM_RING_3] -= 2 * 300
    del told[LATE]
    assert {NAMES[vector]: count for vector, count in seen.items() if count} == told


def test_a_program_is_known_by_its_number(machine: Qemu) -> None:
    number = unknowing(machine)
    once, again = (machine.ask(f"hostile 1 {SEED} {number}") for _ in range(2))
    other = machine.ask(f"hostile 1 {SEED} {number + 1}")
    assert once == again != other
    code = code_of(once).hex()
    start = CONSTANTS["HOSTILE_CODE"] + PAGE_SIZE - len(code_of(once))
    assert f"\nstarts with\nRIP     {start:#018x} " in once
    assert machine.ask(f"hostile 1 {SEED} {number} {code}") == once
    mutated = machine.ask(f"hostile 1 {SEED} {number} ~{code}")
    assert mutated == machine.ask(f"hostile 1 {SEED} {number} ~{code}")
    assert len(code_of(mutated)) == len(code_of(once)) and code_of(mutated) != code_of(once)


@pytest.mark.parametrize(
    "wrong",
    ["", "0", "x", "4294967301", "1 x", "1 1 x", "1 1 1 0", "1 1 1 zz", "1 1 1 " + "90" * 49],
)
def test_a_wrong_word_is_refused(machine: Qemu, wrong: str) -> None:
    answer = machine.ask(f"hostile {wrong}")
    assert answer.startswith("`hostile` takes a number of programs")
    assert max(map(len, answer.splitlines())) < COLUMNS


def test_code_of_any_length_is_shown(machine: Qemu) -> None:
    code = bytes(range(0x90, 0xC0))
    answer = machine.ask(f"hostile 1 {SEED} 7 {code.hex()}")
    assert code_of(answer) == code
    assert max(map(len, answer.splitlines())) < COLUMNS


@pytest.mark.parametrize(
    "wrong, said",
    [
        (("--seed", "2000000000"), 'SEED is a number from 0 to 999999999, not "2000000000"'),
        (("--first", "-1"), 'FIRST is a number from 0 to 999999999, not "-1"'),
        (("--programs", "0"), 'PROGRAMS is a number from 1 to 999999999, not "0"'),
        (
            ("--first", "999999999", "--programs", "2"),
            "No program has a number from 1000000000 on: lower FIRST or PROGRAMS",
        ),
    ],
)
def test_what_the_kernel_would_refuse_ends_the_campaign_at_once(
    wrong: tuple[str, ...], said: str
) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "hostile"), *wrong, str(BUILD)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, f"barestub: {said}.\n"), done.stdout


class Eventful:
    """A stand-in for Target: programs whose number ends in 500 end the emulator, and all others
    reach something new."""

    def run(self, count: int, seed: int, first: int, code: str = "") -> Answer:
        ends = any(number % 1000 == 500 for number in range(first, first + count))
        return Answer("code    90\n", end="the emulator was killed" if ends else "", new_blocks={1})

    def reached_by(self, *_: object) -> set[int]:
        return {1}


def test_as_many_programs_are_run_as_were_asked_for(tmp_path: Path) -> None:
    """Mutations are among them, and those that end the emulator."""
    script = runpy.run_path(str(ROOT / "scripts" / "hostile"))
    for count in (700, 12345):
        campaign = script["Campaign"](Eventful(), count, SEED, tmp_path)
        campaign.run_all(0)
        assert campaign.done == count
    assert campaign.steered > 0 and campaign.lost > 0


def test_programs_that_did_not_run_are_no_answer() -> None:
    with Target(BUILD, "qemu") as target, pytest.raises(RuntimeError, match="not run 5 programs"):
        target.run(5, NUMBER_LIMIT, 0)


SET_EDI = f"bf{CONSTANTS['HOSTILE_DATA'].to_bytes(4, 'little').hex()}"


def test_mov_ss_of_a_watched_word_is_a_trap(machine: Qemu) -> None:
    """Of some programs, beside those that are single-stepped: mov ss, [rdi]; nop; int3."""
    watched, not_watched = (
        Answer(machine.ask(f"hostile 200 {SEED} 0 {SET_EDI}{code}90cc")).counts["DB"]
        for code in ("8e17", "6690")
    )
    assert watched > not_watched > 0


def test_a_breakpoint_on_the_code_is_a_trap(machine: Qemu) -> None:
    """Of those that have one, beside those that are single-stepped: twelve NOPs and INT3. RF hides
    it on the first NOP."""
    answer = Answer(machine.ask(f"hostile 300 {SEED} 0 {'90' * 12}cc"))
    broken, stepped = (answer.kinds[name].programs for name in ("DR1 on its code", "RFLAGS.TF"))
    assert answer.counts["DB"] > stepped + broken * 3 // 4


def test_an_address_that_a_program_makes_is_no_leak(machine: Qemu) -> None:
    """lea rax, [rip + what is missing to the pool]; int3"""
    behind = CONSTANTS["HOSTILE_CODE"] + PAGE_SIZE - 1
    missing = (CONSTANTS["POOL_BASE"] - behind & 0xFFFFFFFF).to_bytes(4, "little").hex()
    answer = machine.ask(f"hostile 1 {SEED} {unknowing(machine)} 488d05{missing}cc")
    assert f"\nRAX={CONSTANTS['POOL_BASE']:x} " in answer
    assert " findings=0\n" in answer


def test_a_late_debug_exception_is_survived(machine: Qemu) -> None:
    """Neither emulator holds the #DB of a watched MOV SS back until INT n is in ring 0. But TCG
    brings that of a watched write there, if the instruction goes on to fault: xor ebp, ebp; mov
    esp, data + 8; enter 0, 2."""
    esp = (CONSTANTS["HOSTILE_DATA"] + 8).to_bytes(4, "little").hex()
    counts = Answer(machine.ask(f"hostile 200 {SEED} 0 31edbc{esp}c8000002")).counts
    assert counts[LATE] > 0


XOR_R12D = bytes.fromhex("4531e4")


def test_a_register_of_the_kernel_in_ring_3_is_found(
    stopped: tuple[Qemu, GdbStub], symbols: dict[str, Symbol]
) -> None:
    machine, stub = stopped
    start = symbols["ring3_call"].address
    at = start + stub.read(start, 128).index(XOR_R12D)
    stub.write(at, b"\x90" * len(XOR_R12D))
    stub.detach()
    answer = machine.ask("hostile 3")
    words = "hostile: finding program=1 at the start r12 is "
    assert re.search(rf"^{words}0x\w+, not 0x0$", answer, re.MULTILINE)


def test_sse_in_a_handler_is_found(
    stopped: tuple[Qemu, GdbStub], symbols: dict[str, Symbol]
) -> None:
    """PXOR XMM3, XMM3 in the place of the first four bytes of trap_dispatch(), ENDBR64. An NMI may be
    so early that one program has nothing else given."""
    machine, stub = stopped
    stub.write(symbols["trap_dispatch"].address, bytes.fromhex("660fefdb"))
    stub.detach()
    found = re.findall(r"finding program=\d at the start byte 208 of XSAVE", machine.ask("hostile 9"))
    assert len(found) > 5


DISTURBED = {"kernel's addresses", "32-bit or 16-bit", "RFLAGS.TF", "DR0 watches data",
             "DR1 on its code"}  # fmt: skip


def unknowing(machine: Qemu) -> int:
    """The number of a program in 64-bit mode that is let run and has no address of the kernel."""
    for number in range(100):
        if not DISTURBED & set(Answer(machine.ask(f"hostile 1 {SEED} {number}")).kinds):
            return number
    raise AssertionError("there is none")


def test_an_address_of_the_kernel_in_ring_3_is_found(
    machine: Qemu, symbols: dict[str, Symbol]
) -> None:
    """A program that makes one of its parts, as if it had been told: of the image, of the pool, of
    a device, of the first CPU and of the last that there may be."""
    number = unknowing(machine)
    image = (symbols["kernel_start"].address >> 16) + 1 & 0xFFFF
    for part in (image, 0xA000, 0xB000, 0xD000, 0xD01F):
        # mov eax, part; shl rax, 16; mov ecx, 0xFFFFFFFF; shl rcx, 32; or rax, rcx; int3
        code = f"b8{part.to_bytes(4, 'little').hex()}48c1e010b9ffffffff48c1e1204809c8cc"
        answer = machine.ask(f"hostile 1 {SEED} {number} {code}")
        assert f"an address of the kernel is in ring 3: 0xffffffff{part:x}0000\n" in answer


def test_a_table_that_sgdt_tells_of_is_found(
    iso: str, grub: str, symbols: dict[str, Symbol]
) -> None:
    """Where there is no UMIP. The CPU stores the limit, two bytes, and then the address."""
    with Qemu(iso, state=grub, options=(*NO_SCREEN, "-cpu", "qemu64")) as machine:
        machine.wait_for(PROMPT)
        # mov edi, HOSTILE_DATA + 1; sidt [rdi]; int3
        answer = machine.ask(f"hostile 1 {SEED} {unknowing(machine)} bf012090000f010fcc")
    idt = symbols["idt"].address
    assert f"an address of the kernel is in ring 3: {idt:#x}\n" in answer


def test_a_failure_is_brought_down_to_its_shortest_code() -> None:
    short = shrink(bytes(range(40)), lambda code: 7 in code and 30 in code)
    assert short == bytes([7, 30])
    assert shrink(bytes([1, 2, 3]), lambda code: len(code) == 3 and code[1] == 2) == b"\x90\x02\x90"


def test_it_is_written_as_an_entry_of_the_catalogue(machine: Qemu, tmp_path: Path) -> None:
    text = machine.ask(f"hostile 1 {SEED} 7").partition("ends with")[0]
    panic = "\nKERNEL PANIC: Page Fault\nCS      0x0008\nRAX=0123456789abcdef\n"
    written = entry(SEED, 7, b"\x0f\x0b", "hang", text + panic)
    assert "0x123456789abcdef" not in written
    source = tmp_path / "hostile.asm"
    source.write_text(written)
    include = [f"-I{ROOT / path}/" for path in ("kernel", "asm", "tests/faults")]
    command = ["nasm", "-f", "elf64", *include, "-o", str(tmp_path / "hostile.o"), str(source)]
    subprocess.run(command, check=True)
    assert f'fault   3, "hostile-{SEED}-7"' in written and "db      0x0f, 0x0b\n" in written
    registers = re.findall(r"^ +mov +(\w+), 0x", written, re.MULTILINE)
    assert len(registers) == 16 and {"rax", "r15", "rsp"} <= set(registers)
