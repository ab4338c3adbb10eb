"""How good stublint is: right interrupt paths of several designs, each broken in every way that
there is an edit for, and which of it was found. As a command it tries all, and writes
build/lint-proof.txt."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
for folder in ("tests/lint", "tests/support", "tests", "scripts"):
    sys.path.insert(0, str(ROOT / folder))

import test_stublint_gates as tables  # noqa: E402
import test_stublint_syscall as calls  # noqa: E402
from edits import BUGS, EDITS, Bug, Edit, broken, landmarks  # noqa: E402
from elf.symbols import binutil  # noqa: E402
from lint import cli  # noqa: E402
from lint.checks.rules import RULES  # noqa: E402
from linting import KERNEL_C, SOURCES, Workbench  # noqa: E402

COUNTED = ("ERROR", "ABI", "LATENT")

# How an assembler writes what is in braces in an edit, and what stands around an edit.
NASM = {"q": "qword", "byte": "db", "gs0": "[gs:0]", "parked": "parked", "here": "$",
        "common_nmi": "", "block": "{}"}  # fmt: skip
INTEL = {"q": "qword ptr", "byte": ".byte", "gs0": "gs:[0]", "parked": "parked[rip]", "here": ".",
         "common_nmi": "", "block": "{}"}  # fmt: skip
ATT = {**INTEL, "common_nmi": ".att_syntax; stub 2; .intel_syntax noprefix",
       "block": "\n.intel_syntax noprefix\n{}\n.att_syntax\n"}  # fmt: skip


def nasm(source: Path, target: Path) -> None:
    subprocess.run(["nasm", "-f", "elf64", "-I", f"{SOURCES}/", "-o", target, source], check=True)


def gas(source: Path, target: Path) -> None:
    subprocess.run([binutil("as"), "-o", target, source], check=True)


def corpus(name: str) -> str:
    return (SOURCES / "corpus" / name).read_text()


def compiled(compiler: str, *flags: str) -> str:
    """Return attribute.c in assembly, with landmarks."""
    command = [compiler, *KERNEL_C, *flags, "-g0", "-S", "-masm=intel", "-o", "-"]
    done = subprocess.run(
        [*command, SOURCES / "attribute.c"], capture_output=True, text=True, check=True
    )
    return marked(done.stdout)


def marked(text: str) -> str:
    """Return what a compiler has made, with landmarks."""
    text = re.sub(r"^(\t(call|cld)\b.*)$", r"\1 # @\2", text, flags=re.MULTILINE)
    text = re.sub(r"^\tiretq?$", "# @restored\n# @own_drop\n\tiretq # @iretq", text,
                  flags=re.MULTILINE)  # fmt: skip
    text = re.sub(r"^\w+_handler:$", r"\g<0> # @entry", text, flags=re.MULTILINE)
    return with_variable(text)


def with_variable(text: str) -> str:
    return f"{text}\n.comm parked, 8\n"


# By their names they would not be found any more where the mistake is that none returns by IRETQ.
STUBS = ("--pattern", "isr%d")
HANDLERS = ("--stub", "0=divide_error_handler", "--stub", "3=breakpoint_handler",
            "--stub", "14=page_fault_handler")  # fmt: skip


@dataclass(frozen=True)
class Design:
    """An interrupt path that is right, but for what it cannot be in such a design."""

    text: Callable[[], str]
    syntax: dict[str, str]
    assemble: Callable[[Path, Path], None]
    options: tuple[str, ...]
    always: frozenset[str] = frozenset({"no-code-frame"})


DESIGNS = {
    "arguments, NASM": Design(lambda: corpus("arguments.asm"), NASM, nasm, STUBS, frozenset()),
    "a path for each, NASM": Design(lambda: corpus("inline.asm"), NASM, nasm, STUBS),
    "moves and SWAPGS, GAS": Design(lambda: corpus("moves.S"), ATT, gas, STUBS),
    "naked functions, Rust": Design(lambda: with_variable(corpus("naked.s")), INTEL, gas, STUBS),
    "x86-interrupt, Rust": Design(lambda: marked(corpus("interrupt.s")), INTEL, gas, HANDLERS),
    "the attribute, GCC": Design(lambda: compiled(binutil("gcc")), INTEL, gas, HANDLERS),
    "the attribute, Clang": Design(
        lambda: compiled("clang", "--target=x86_64-elf", "-w", "-fno-addrsig"), INTEL, gas, HANDLERS
    ),
}  # fmt: skip


@dataclass
class Score:
    """What was said of one rule."""

    found: int = 0
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)  # one mistake is told as several


class Proof:
    """Counts for each rule where it was found, missed, found for nothing, and told twice."""

    def __init__(self) -> None:
        self._scores = {name: Score() for name in RULES}
        self._variants: Counter[str] = Counter()

    def add(self, design: str, mistake: str, due: set[str], said: Counter[str]) -> None:
        """Note what was @said of a @design with a @mistake, and how often, and what was @due."""
        self._variants[design] += 1
        for rule in due | set(said):
            score = self._scores[rule]
            where = f"{design}: {mistake}"
            if rule in due and rule in said:
                score.found += 1
            else:
                (score.missed if rule in due else score.false).append(where)
            if said[rule] > 1:
                score.twice.append(where)

    def wrong(self) -> list[str]:
        """Return what was missed, what was found and is not there, and what was told twice."""
        return [
            f"{word} {rule} in {where}"
            for rule, score in self._scores.items()
            for word in ("missed", "false", "twice")
            for where in getattr(score, word)
        ]

    def table(self) -> Iterator[str]:
        """Yield the lines of the report."""
        for design, count in self._variants.items():
            yield f"{count:4} variants of: {design}"
        yield ""
        yield f"{'rule':24}  found missed  false  recall precision"
        for rule, score in self._scores.items():
            due, said = score.found + len(score.missed), score.found + len(score.false)
            if due or said:
                yield (
                    f"{rule:24} {score.found:6} {len(score.missed):6} {len(score.false):6}"
                    f" {_share(score.found, due):>7} {_share(score.found, said):>9}"
                )
        yield from self.wrong()


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def said(
    files: list[Path], options: tuple[str, ...], due: set[str], answer: Path
) -> Counter[str]:
    """Return the rules that stublint finds broken, and by how many findings. Those for information
    are told of @due alone, if nothing that counts is said of it."""
    with contextlib.redirect_stdout(io.StringIO()):
        status = cli.main([*map(str, files), *options, "--json", str(answer)])
    if status == cli.CANNOT_RUN:
        return Counter()
    findings = json.loads(answer.read_text())["findings"]
    counted = Counter(f["rule"] for f in findings if f["severity"] in COUNTED)
    noted = Counter(f["rule"] for f in findings if f["severity"] not in COUNTED)
    return counted + Counter({rule: noted[rule] for rule in due - set(counted)})


def variants(design: Design) -> Iterator[tuple[str, str, Edit | None]]:
    """Yield @design as it is, and with each mistake that it has the landmarks for."""
    text = design.text()
    yield "right", text, None
    there = landmarks(text)
    for mistake in EDITS:
        if {landmark for _, landmark, _ in mistake.changes} <= there:
            yield mistake.name, broken(text, mistake, design.syntax), mistake


def prove(proof: Proof, name: str, directory: Path) -> None:
    """Try all variants of the design of this @name."""
    design = DESIGNS[name]
    source, target = directory / "variant.s", directory / "variant.o"
    for what, text, mistake in variants(design):
        source.write_text(text)
        design.assemble(source, target)
        due = {mistake.rule, *mistake.also} if mistake else set()
        options = design.options + (mistake.options if mistake else ())
        found = said([target], options, due, directory / "report.json")
        for rule in design.always - due:
            del found[rule]
        proof.add(name, what, due, found)


def prove_stubs(proof: Proof, directory: Path) -> None:
    """Try stubs.asm with each -D."""
    bench = Workbench(directory)
    for bug in (Bug("", c=()), *BUGS):
        files = [bench.assemble("stubs.asm", *bug.stubs)]
        if bug.c is not None:
            flags = [flag for flag in KERNEL_C if flag != bug.without]
            files.append(bench.compile("handler.c", *flags, *(f"-D{name}" for name in bug.c)))
        due = {bug.rule, *bug.also} - {""}
        found = said(files, bug.options, due, directory / "report.json")
        proof.add("SWAPGS and all cases, NASM with C", str(bug), due, found)


def prove_system_calls(proof: Proof, directory: Path) -> None:
    """Try syscall.asm as each of its designs, with each -D."""
    bench = Workbench(directory)
    right = [(design, calls.Bug("", "NONE", ())) for design in calls.DESIGNS]
    for design, bug in (*right, *calls.CASES):
        target = bench.assemble("syscall.asm", bug.name, design=design)
        due = {bug.rule, bug.also} - {""}
        options = (*calls.HANDLERS, *bug.options)
        found = said([target], options, due, directory / "report.json")
        proof.add("SYSCALL and SYSENTER, four designs, NASM", f"{design} {bug.name}", due, found)


def prove_tables(proof: Proof) -> None:
    """Try the IDT and what it leads to, in the memory of a machine."""
    for name, (rule, _, broken_gates, broken_machine) in tables.CASES.items():
        findings = tables.judge(tables.gates(**broken_gates), tables.machine(**broken_machine))
        found = {f.rule for f in findings if f.severity in COUNTED or f.rule == rule}
        proof.add("IDT, GDT and TSS", name, {rule}, Counter(found))


def main() -> None:
    """Try everything, and tell."""
    proof = Proof()
    with tempfile.TemporaryDirectory() as directory:
        for name in DESIGNS:
            if "Clang" not in name or shutil.which("clang"):
                prove(proof, name, Path(directory))
        prove_stubs(proof, Path(directory))
        prove_system_calls(proof, Path(directory))
    prove_tables(proof)
    text = "\n".join(proof.table())
    target = ROOT / "build/lint-proof.txt"
    target.write_text(text + "\n")
    print(text)
    if proof.wrong():
        sys.exit(f"{len(proof.wrong())} wrong answers")


if __name__ == "__main__":
    main()
