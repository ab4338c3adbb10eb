"""The command line of stublint."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from dataclasses import dataclass

from lint import config
from lint.checks import abi, allow
from lint.checks.causes import groups_of
from lint.checks.contract import Contract, Options
from lint.checks.coverage import Coverage, Others
from lint.checks.finding import Finding, Group
from lint.errors import CannotRun, near
from lint.load.sources import Source, load
from lint.report import baseline, people, programs
from lint.report.painter import Painter
from names import fold
from options import add_version

CLEAN, FINDINGS, CANNOT_RUN, PARTIAL = 0, 1, 2, 3

DESCRIPTION = """\
Runs every interrupt stub of an x86-64 kernel in an emulator, for each vector from ring 0 and
ring 3, with DF and AC set and clear, and says what breaks the CPU's contract or C's, and the fix.
"""

EXAMPLES = """\
examples:
  stublint kernel.elf                          stubs found by what they are
  stublint kernel.elf --pattern isr%d          ... by a pattern of names (repeatable)
  stublint kernel.elf --pattern irq%d+32       ... numbered from another vector
  stublint kernel.elf --table isr_table        ... by a table of pointers
  stublint kernel.elf --table isr0 --stride 16 ... one every 16 bytes
  stublint stubs.o libkernel.a                 objects; what they do not define is C
  stublint --boot kernel.iso                   boots it in QEMU, lints what the CPU would run
  stublint --qmp qmp.sock                      a QEMU that runs already (-qmp unix:PATH,server)
  stublint kernel.elf --idt-image idt.bin      gates from a dump of the IDT

allow-file: a line `rule:vectors  reason` or `unlinted:NAMES  reason` each, such as
  no-code-frame:*   our IDT has no gate with DPL 3, and nobody executes INT 13
  unlinted:test_*   handlers of the self-test, which no release build has

stublint.toml, in the current directory or named by --config, has the same options, and [allow]:
  files = ["build/kernel.elf"]
  pattern = ["isr%d", "irq%d+32"]
  [allow]
  "no-code-frame:*" = "our IDT has no gate with DPL 3, and nobody executes INT 13"

exit status: 0 clean, 1 findings (ERROR, ABI or LATENT), 2 could not run, 3 no finding, but not
everything was looked at: the end of the report says what, and how to include it.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="stublint",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_version(parser)
    parser.add_argument("files", nargs="*", default=[], metavar="FILE",
                        help="a linked kernel or objects and archives of them: ELF, PE and COFF,"
                        " Mach-O")
    stubs = parser.add_argument_group("where the stubs are")
    stubs.add_argument("--pattern", action="append", default=[], metavar="NAME%d[+N]",
                       help="names with the vector in them: %%d or %%x; +N is added to it")
    stubs.add_argument("--stub", action="append", default=[], metavar="VECTOR=NAME",
                       help="one stub by its symbol, C++ or Rust name or address, as well as"
                       " those found")
    stubs.add_argument("--table", metavar="SYMBOL|ADDRESS",
                       help="a table of pointers to stubs, or with --stride the first stub")
    stubs.add_argument("--stride", type=number, default=0, metavar="BYTES",
                       help="the stubs follow each other at this distance")
    stubs.add_argument("--first", type=number, default=0, metavar="VECTOR",
                       help="the vector of the table's first stub (0)")
    stubs.add_argument("--count", type=number, metavar="N", help="stubs in the table")
    stubs.add_argument("--idt-image", metavar="FILE", help="a dump of the IDT: 16 bytes a gate")
    stubs.add_argument("--idt", metavar="SYMBOL|ADDRESS", help="the IDT in the file's own memory")
    stubs.add_argument("--memory", action="append", default=[], metavar="FILE@ADDRESS",
                       help="raw memory as well as, or instead of, an ELF file")
    calls = parser.add_argument_group("system calls")
    calls.add_argument("--syscall", metavar="SYMBOL|ADDRESS", help="what LSTAR holds")
    calls.add_argument("--sysenter", metavar="SYMBOL|ADDRESS", help="what SYSENTER_EIP holds")
    calls.add_argument("--sfmask", type=number, metavar="VALUE",
                       help="the flags that SYSCALL clears (IA32_FMASK)")
    calls.add_argument("--star", type=number, metavar="VALUE", help="what STAR holds")
    calls.add_argument("--abi", default="c", metavar="c|linux|FILE",
                       help="which registers a system call may change: what a C function may (c),"
                       " RAX, RCX and R11 (linux), or those that FILE says")
    live = parser.add_argument_group("a running kernel")
    live.add_argument("--boot", metavar="ISO", help="boot it in QEMU")
    live.add_argument("--after", type=float, default=30.0, metavar="SECONDS",
                      help="how long --boot waits at most for the kernel to load its IDT (30)")
    live.add_argument("--qemu", default="", metavar="OPTIONS", help="more options for --boot")
    live.add_argument("--qmp", metavar="SOCKET", help="a running QEMU's QMP socket")
    circumstances = parser.add_argument_group("circumstances")
    circumstances.add_argument("--smap", action=argparse.BooleanOptionalAction, default=None,
                               help="AC must be clear at C calls (default: if a stub does CLAC)")
    circumstances.add_argument("--ibt", action="store_true", help="ENDBR64 is due")
    circumstances.add_argument("--c", action="append", default=[], metavar="NAME",
                               help="this function is C (keeps to the ABI)")
    circumstances.add_argument("--asm", action="append", default=[], metavar="NAME",
                               help="this function is assembly: a part of the stub")
    answers = parser.add_argument_group("answers")
    answers.add_argument("--allow", action="append", default=[], metavar="FILE",
                         help="findings to live with, each with its reason")
    answers.add_argument("--baseline", metavar="FILE",
                         help="findings of before: only new ones count")
    answers.add_argument("--write-baseline", action="store_true",
                         help="make that file of all that is found now")
    answers.add_argument("--config", metavar="FILE", help="in the place of ./stublint.toml")
    answers.add_argument("--partial-ok", action="store_true",
                         help="status 0 although not everything was looked at")
    answers.add_argument("--json", metavar="FILE", help="the report as JSON (- for stdout)")
    answers.add_argument("--sarif", metavar="FILE", help="the report as SARIF 2.1.0")
    answers.add_argument("--brief", action="store_true", help="no disassembly, no stack picture")
    answers.add_argument("--rules", action="store_true", help="explain every rule, and exit")
    return parser


def number(text: str) -> int:
    """Return the number that @text is, in any base with the usual prefix."""
    value = int(text, 0)
    if value < 0:
        raise ValueError
    return value


def main(arguments: list[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    collects = gc.isenabled()
    gc.disable()  # hundreds of thousands of objects live to the end, and few are in circles
    try:
        options, allowances = configured(sys.argv[1:] if arguments is None else arguments)
        if options.rules:
            print(people.rules())
            return CLEAN
        return lint(options, allowances)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINDINGS
    except CannotRun as error:
        words = f"stublint: {error}"
        print(fold(words) if sys.stderr.isatty() else words, file=sys.stderr)
        return CANNOT_RUN
    finally:
        if collects:
            gc.enable()


def configured(arguments: list[str]) -> tuple[argparse.Namespace, list[allow.Allowance]]:
    """Return the options that @arguments and the configuration file give, and what is allowed."""
    words = parser()
    file = config.load(words.parse_known_args(arguments)[0].config, words)
    words.set_defaults(**file.values)
    options, unknown = words.parse_known_args(arguments)
    if unknown:
        known = [name for action in words._actions for name in action.option_strings]
        raise CannotRun(f"{unknown[0]}: there is no such option{near(unknown[0], known)}")
    if options.write_baseline and not options.baseline:
        raise CannotRun("--write-baseline: name the file by --baseline FILE")
    if options.json == options.sarif == "-":
        raise CannotRun("--json - and --sarif -: one of them needs a file")
    return options, [*file.allowances, *(a for path in options.allow for a in allow.load(path))]


def lint(options: argparse.Namespace, allowances: list[allow.Allowance]) -> int:
    """Lint what @options name, and report; return the exit status."""
    start = time.monotonic()
    with load(options) as source:
        found = examine(options, allowances, source)
        contract, groups, coverage = found.contract, found.groups, found.coverage
        seconds = time.monotonic() - start
        summary = people.Summary(source.name, source.entries, contract.runs, seconds, coverage)
        _answer(options, summary, groups, Painter(source.image, contract.decoder))
    bad = any(g.severity != "INFO" and g.reason is None for g in groups)
    if bad:
        return FINDINGS
    return CLEAN if coverage.complete or options.partial_ok else PARTIAL


@dataclass
class Examined:
    """What was found in a kernel."""

    contract: Contract
    groups: list[Group]
    coverage: Coverage


def examine(
    options: argparse.Namespace, allowances: list[allow.Allowance], source: Source
) -> Examined:
    """Hold the stubs of @source against the contract."""
    contract = Contract(source.image, _contract_options(options, source))
    findings = source.findings + contract.check(source.entries, source.calls)
    coverage = contract.coverage(
        source.entries, source.calls, None if source.has_idt else Others(source.guesses)
    )
    allow.leave_out(coverage, allowances)
    findings += contract.check_ways_in(coverage, source.calls.ways_in)
    counted, allowed = allow.split(findings, allowances)
    if options.write_baseline:
        baseline.write(options.baseline, [f for f in counted if f.severity != "INFO"])
    if options.baseline:
        counted, known = allow.split(counted, baseline.load(options.baseline))
        allowed += known
    groups = groups_of(counted) + _allowed_groups(allowed)
    contract.locate(groups)
    return Examined(contract, groups, coverage)


def _contract_options(options: argparse.Namespace, source: Source) -> Options:
    return Options(
        smap=source.smap if options.smap is None else options.smap,
        ibt=options.ibt or source.ibt,
        c_names=set(options.c),
        assembly_names=set(options.asm),
        selectors=source.selectors,
        abi=abi.load(options.abi),
    )


def _allowed_groups(allowed: list[tuple[Finding, str]]) -> list[Group]:
    groups = []
    for reason in dict.fromkeys(reason for _, reason in allowed):
        for made in groups_of([finding for finding, why in allowed if why == reason]):
            made.reason = reason
            groups.append(made)
    return groups


def _answer(
    options: argparse.Namespace, summary: people.Summary, groups: list[Group], painter: Painter
) -> None:
    if options.json:
        _write(options.json, programs.as_json(summary, groups, painter))
    if options.sarif:
        _write(options.sarif, programs.as_sarif(summary, groups, painter))
    if "-" not in (options.json, options.sarif):
        print(people.text(summary, groups, painter, options.brief))


def _write(path: str, content: str) -> None:
    if path == "-":
        print(content)
        return
    try:
        with open(path, "w") as file:
            file.write(content + "\n")
    except OSError as error:
        raise CannotRun(f"{path}: {error.strerror}") from None
