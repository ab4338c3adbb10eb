"""The whole contract of the entries beside the IDT: the registers that the CPU finds them by, every
variant of a call, and what an NMI, #DB or #MC finds in the middle of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from lint.architecture import (
    DEBUG,
    MACHINE_CHECK,
    NMI,
    RFLAGS_AC,
    RFLAGS_DF,
    RFLAGS_IF,
    RFLAGS_NT,
    RFLAGS_TF,
    SYSCALL,
    VECTOR_COUNT,
)
from lint.checks.abi import Abi
from lint.checks.call import CallChecks
from lint.checks.context import Context
from lint.checks.coverage import Coverage, Function
from lint.checks.finding import Finding
from lint.checks.gates import SEGMENT_CODE, SEGMENT_L, SEGMENT_P, SEGMENT_S
from lint.checks.one_run import check
from lint.checks.rules import RULES
from lint.checks.user_return import UserReturnChecks
from lint.checks.user_stack import UserStackChecks
from lint.engine.system_call import CallVariant, SystemCallRunner, is_user_stack
from lint.engine.trace import Entry, Moment, Trace
from lint.engine.values import USER_GS, Variant
from lint.load.image import Image
from lint.load.system_calls import SystemCalls

FLAGS = {"IF": RFLAGS_IF, "DF": RFLAGS_DF, "TF": RFLAGS_TF, "AC": RFLAGS_AC, "NT": RFLAGS_NT}
ALL_FLAGS = sum(FLAGS.values())
NO_SUCH_CALL = 1 << 40

_FIRST = CallVariant(ring=3, flags=0, has_code=False, seed=10, user_gs=True)
VARIANTS = (
    _FIRST,
    replace(_FIRST, flags=RFLAGS_DF | RFLAGS_AC | RFLAGS_NT, seed=12, c_uses_vectors=True),
    replace(_FIRST, number=NO_SUCH_CALL, seed=14),
    replace(_FIRST, hostile_rip=True, seed=16),
    replace(_FIRST, rewritten=True, seed=18),
    replace(_FIRST, another=True, seed=20),
)

# What can come between SYSCALL and the switch of stacks: NMI and #MC whenever they like, #DB by a
# breakpoint on what MOV SS reads right before, if the kernel sets breakpoints for its programs.
ANYWHERE = (DEBUG, NMI, MACHINE_CHECK)
BY_BREAKPOINT = ", by a breakpoint that the kernel has set for the program (CVE-2018-8897)"
BETWEEN = Variant(ring=0, flags=0, has_code=False, seed=22, user_gs=False)


class SystemCallChecks:
    """Checks the entries of one kernel. @record is told of every run, @stubs is what the checks of
    the IDT's stubs know."""

    def __init__(
        self, runner: SystemCallRunner, stubs: Context, record: Callable[[Trace], None]
    ) -> None:
        self._runner = runner
        self._stubs = stubs
        self._context = stubs
        self._record = record

    def check(
        self, calls: SystemCalls, handlers: list[Entry], known: set[tuple[int | None, str]]
    ) -> Iterator[Finding]:
        """Yield what is wrong with @calls. @handlers are the stubs of vectors, and @known what they
        break anyway, as pairs of vector and rule."""
        for entry in calls.entries:
            yield from self._check_registers(entry, calls)
        traces = self._run(calls)
        for trace in traces:
            for kind in (_CallsOfC, UserStackChecks, UserReturnChecks):
                yield from kind(self._context, trace).check()
        for handler in handlers:
            if handler.vector in ANYWHERE and handler.known:
                yield from self._check_window(handler, traces, known)

    def _run(self, calls: SystemCalls) -> list[Trace]:
        self._runner.sfmask = ALL_FLAGS if calls.sfmask is None else calls.sfmask
        runnable = [entry for entry in calls.entries if self._stubs.image.is_code(entry.address)]
        traces = [self._runner.run(entry, v) for entry in runnable for v in VARIANTS]
        for trace in traces:
            self._record(trace)
        swaps_gs = self._stubs.swaps_gs or any(trace.swapgs for trace in traces)
        self._context = replace(self._stubs, swaps_gs=swaps_gs)
        return traces

    def _check_registers(self, entry: Entry, calls: SystemCalls) -> Iterator[Finding]:
        if not self._context.image.is_code(entry.address):
            yield _finding("syscall-target", entry, f"no code is at {entry.address:#x}")
        if entry.vector != SYSCALL:
            return
        if calls.sfmask is not None and (kept := ALL_FLAGS & ~calls.sfmask):
            names = [name for name, bit in FLAGS.items() if kept & bit]
            finding = _finding(
                "sfmask-flags",
                entry,
                f"SFMASK is {calls.sfmask:#x}, which leaves {', '.join(names)} as the user had it",
                None if kept & (RFLAGS_IF | RFLAGS_TF | RFLAGS_NT) else "LATENT",
            )
            finding.fix = f"Write {calls.sfmask | kept:#x} to IA32_FMASK (0xC0000084)."
            yield finding
        if calls.star is not None:
            yield from self._check_star(entry, calls.star, calls.gdt)

    @staticmethod
    def _check_star(entry: Entry, star: int, gdt: list[int]) -> Iterator[Finding]:
        """Compare @star with the selectors' rules, and with @gdt if that is known."""
        kernel, user = star >> 32 & 0xFFFF, star >> 48
        wrong = []
        if kernel & 3 or not kernel:
            wrong.append(f"the kernel's CS is {kernel:#x}")
        if user & 3 != 3:
            wrong.append(f"the user's selectors count from {user:#x}, with RPL {user & 3}")
        severity = None if kernel & 3 or not kernel or not user else "LATENT"
        for selector, is_code, dpl in (
            (kernel, True, 0), (kernel + 8, False, 0), (user + 8, False, 3), (user + 16, True, 3)
        ):  # fmt: skip
            if gdt and not _is_segment(gdt, selector, is_code, dpl):
                kind = "64-bit code" if is_code else "data"
                wrong.append(f"{selector | dpl:#x} is no {kind} of ring {dpl}")
                severity = None
        if wrong:
            seen = f"STAR is {star:#x}: {' and '.join(wrong)}"
            finding = _finding("star-selectors", entry, seen, severity)
            if not gdt and not kernel & 3 and kernel:
                finding.fix = f"Write {star | 3 << 48:#x} to STAR: the selectors with RPL 3."
            yield finding

    def _check_window(
        self, handler: Entry, traces: list[Trace], known: set[tuple[int | None, str]]
    ) -> Iterator[Finding]:
        """Try @handler before every instruction on the user's stack or GS base."""
        for finding in self._in_window(handler, traces, known):
            if handler.vector == DEBUG:
                finding.severity = "INFO"
                finding.seen += BY_BREAKPOINT
            yield finding

    def _in_window(
        self, handler: Entry, traces: list[Trace], known: set[tuple[int | None, str]]
    ) -> Iterator[Finding]:
        tried: set[tuple[int, bool]] = set()
        for trace in traces:
            for moment in [*trace.watched, trace.end.moment]:
                on_stack, user_gs = is_user_stack(moment.rsp), moment.gs == USER_GS
                if not on_stack and not (user_gs and self._context.swaps_gs):
                    continue
                if (moment.pc, user_gs) in tried:
                    continue
                tried.add((moment.pc, user_gs))
                if on_stack and handler.ist == 0:
                    yield _finding("nmi-stack", handler,
                                   "the IST field is 0, and SYSCALL is on")  # fmt: skip
                    return
                yield from self._interrupted(handler, trace, moment, known)

    def _interrupted(
        self,
        handler: Entry,
        call: Trace,
        moment: Moment,
        known: set[tuple[int | None, str]],
    ) -> Iterator[Finding]:
        user_gs = moment.gs == USER_GS and self._context.swaps_gs
        trace = self._runner.interrupt(handler, moment, replace(BETWEEN, user_gs=user_gs))
        place = self._context.image.describe(moment.pc)
        for finding in check(self._stubs, trace):
            if finding.severity in ("ERROR", "ABI", "LATENT") and (
                (handler.vector, finding.rule) not in known
            ):
                finding.seen += f", if it comes at {place}"
                yield finding
        mine = {w.address for w in call.writes if w.position <= moment.position}
        shared = [w for w in trace.writes if w.address in mine and self._is_variable(w.address)]
        for write in shared[:1]:
            yield _finding(
                "syscall-scratch-shared",
                handler,
                f"`{self._text(write.pc)}` overwrites what the entry has kept by {place}",
                pc=write.pc,
            )

    def _is_variable(self, address: int) -> bool:
        return not self._runner.is_stack(address)

    def _text(self, pc: int) -> str:
        return " ".join(self._context.decoder.at(pc).text.split())


class _CallsOfC(CallChecks):
    """The calls of C, with the words for a system call."""

    came_by = "SYSCALL"


def _is_segment(gdt: list[int], selector: int, is_code: bool, dpl: int) -> bool:
    """Whether @selector names such a present segment: SDM vol. 3, 3.4.5."""
    descriptor = gdt[selector >> 3] if selector >> 3 < len(gdt) else 0
    return (
        bool(descriptor & SEGMENT_P and descriptor & SEGMENT_S)
        and bool(descriptor & SEGMENT_CODE) == is_code
        and (descriptor >> 45 & 3) == dpl
        and (not is_code or bool(descriptor & SEGMENT_L))
    )


def say_what_is_not_known(
    coverage: Coverage, handlers: list[Entry], calls: SystemCalls, abi: Abi, image: Image
) -> None:
    """Tell in @coverage what the check of @calls went by that nobody has said."""
    for address in calls.others:
        name = image.describe(address)
        coverage.unlinted.append(Function(name, f"--syscall={name}", by="SYSRET"))
    if not calls.entries:
        return
    coverage.assumed.append(f"the ABI of system calls is {abi.name} (--abi)")
    if any(entry.vector == SYSCALL for entry in calls.entries) and calls.sfmask is None:
        coverage.unknown.append(
            f"SFMASK, which was taken for {ALL_FLAGS:#x}, all that it should clear: --sfmask=VALUE"
        )
    anywhere = [entry for entry in handlers if entry.vector in ANYWHERE and entry.known]
    if not anywhere:
        coverage.assumed.append(
            "no stub of #DB, NMI or #MC was found that could come in the middle of the entry"
        )
    elif any(entry.ist is None for entry in anywhere):
        coverage.assumed.append(
            "#DB, NMI and #MC have IST stacks (--boot and --idt-image tell)"
        )


def _finding(
    rule: str, entry: Entry, seen: str, severity: str | None = None, pc: int | None = None
) -> Finding:
    return Finding(
        rule,
        severity or RULES[rule].severity,
        entry.vector,
        seen,
        RULES[rule].duty,
        entry.name,
        entry.address if pc is None and entry.vector >= VECTOR_COUNT else pc,
    )
