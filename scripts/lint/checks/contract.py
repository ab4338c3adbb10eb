"""The whole contract: every stub under every variant, then what only their comparison shows."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from capstone import x86

from lint.architecture import (
    GENERAL,
    MACHINE_CHECK,
    NMI,
    PAGE_FAULT,
    RFLAGS_AC,
    RFLAGS_DF,
    VECTORS_WITH_CODE,
)
from lint.checks.abi import KNOWN, Abi
from lint.checks.causes import without_consequences
from lint.checks.context import Context
from lint.checks.coverage import Coverage, Function, Others, Record, Surveyor
from lint.checks.cr2 import Cr2Checks
from lint.checks.cross import check_codes, check_shapes, check_vectors, frame_shifts
from lint.checks.fields import check_fields
from lint.checks.finding import Finding, Group
from lint.checks.fixes import Fixer
from lint.checks.one_run import check
from lint.checks.rules import RULES
from lint.checks.system_calls import SystemCallChecks, say_what_is_not_known
from lint.checks.ways_in import WayIn
from lint.engine.callee import Judge
from lint.engine.disasm import Decoder
from lint.engine.flow import Flow
from lint.engine.run import Runner
from lint.engine.system_call import SystemCallRunner
from lint.engine.trace import Entry, Moment, Trace
from lint.engine.values import Variant
from lint.engine.vectors_in_c import VectorUse
from lint.engine.way_in import WayInRunner
from lint.load.image import Image
from lint.load.system_calls import SystemCalls

BOTH_FLAGS = RFLAGS_DF | RFLAGS_AC

# Two runs with different values for each ring, with DF and AC clear and set.
USUAL = (
    Variant(ring=0, flags=0, has_code=False, seed=1, user_gs=False),
    Variant(ring=0, flags=BOTH_FLAGS, has_code=False, seed=2, user_gs=False, c_uses_vectors=True),
    Variant(ring=0, flags=RFLAGS_AC, has_code=False, seed=5, user_gs=False),
    Variant(ring=3, flags=0, has_code=False, seed=3, user_gs=True, c_uses_vectors=True),
    Variant(ring=3, flags=BOTH_FLAGS, has_code=False, seed=4, user_gs=True),
    Variant(ring=3, flags=RFLAGS_DF, has_code=False, seed=6, user_gs=True),
)
FROM_RING_3 = USUAL[3]
# The code that a vector carries as an exception is not there: INT n, an IPI.
WITHOUT_CODE = (
    Variant(ring=0, flags=BOTH_FLAGS, has_code=False, seed=7, user_gs=False),
    Variant(ring=3, flags=0, has_code=False, seed=8, user_gs=True),
)
# An NMI hits between an entry from ring 3 and its SWAPGS.
BEFORE_SWAPGS = Variant(ring=0, flags=0, has_code=False, seed=9, user_gs=True)
ANYWHERE = (NMI, MACHINE_CHECK)

# Rules that name a frame of the wrong size by what comes of it at the return.
OFF_FRAME = ("dummy-code-missing", "dummy-code-extra", "code-not-dropped", "code-dropped-twice",
             "return-off-frame")  # fmt: skip

FEW = 4  # stubs are enough to see how a kernel tells ring 3

LONGEST_STUB = 64  # instructions

# Kernel CS and SS, user CS and SS, where nobody says which.
USUAL_SELECTORS = (0x08, 0x10, 0x23, 0x1B)


@dataclass
class Options:
    """What the command line or the running machine adds to the image."""

    smap: bool | None = None  # None: on if a stub executes CLAC or STAC
    ibt: bool = False
    c_names: set[str] = field(default_factory=set)
    assembly_names: set[str] = field(default_factory=set)
    selectors: tuple[int, int, int, int] | None = None  # as the stubs have it
    abi: Abi = KNOWN["c"]


class Contract:
    """Runs all entries of an image and collects what is wrong with them."""

    def __init__(self, image: Image, options: Options) -> None:
        self._image = image
        self._options = options
        self.decoder = Decoder(image)
        self._judge = Judge(image, self.decoder, options.c_names, options.assembly_names)
        selectors = options.selectors or USUAL_SELECTORS
        self._runner = Runner(image, self.decoder, self._judge, selectors)
        self.runs = 0
        self._record = Record()
        self._fixer = Fixer(image, self.decoder)

    def check(self, entries: list[Entry], calls: SystemCalls) -> list[Finding]:
        """Return the findings for all @entries and system @calls."""
        if self._options.selectors is None:
            self._runner.selectors = self._guess_selectors(entries)
        usual = [trace for entry in entries for trace in self._run(entry, USUAL)]
        bare = [
            self._trace(entry, variant)
            for entry in entries
            if entry.vector in VECTORS_WITH_CODE and entry.known
            for variant in WITHOUT_CODE
        ]
        context = self._context(usual, bare)
        found = [finding for trace in usual for finding in check(context, trace)]
        broken = {(finding.vector, finding.rule) for finding in found}
        found += self._compare(usual, context.shifts, found)
        anyway = any(finding.rule == "stack-misaligned" for finding in found)
        found += self._without_code(broken, bare, context, anyway)
        found += self._before_swapgs(entries, context)
        found += self._circumstances(usual)
        found += self._late_cr2(usual, context)
        found += self._landing([*entries, *calls.entries])
        found += list(self._outgrown(usual, entries, found))
        if calls.entries:
            found += self._system_calls(entries, calls, context, found)
        return without_consequences(found)

    def coverage(
        self, entries: list[Entry], calls: SystemCalls, others: Others | None
    ) -> Coverage:
        """Return what the runs of @entries and system @calls have not looked at; @others is None
        if the gates say which stubs there are."""
        flow = Flow(self._image, self.decoder, self._judge)
        surveyor = Surveyor(self._image, self.decoder, flow, self._record)
        coverage = surveyor.survey([*entries, *calls.entries], others)
        say_what_is_not_known(coverage, entries, calls, self._options.abi, self._image)
        return coverage

    def check_ways_in(self, coverage: Coverage, by_sysret: list[int]) -> list[Finding]:
        """Return what is wrong with the functions of @coverage that push a frame of their own, and
        those that enter ring 3 @by_sysret. Those that no run brings to its end move from linted to
        unlinted."""
        coverage.own_frames.update((self._image.describe(at), at) for at in by_sysret)
        if not coverage.own_frames:
            return []
        runner = WayInRunner(self._image, self.decoder, self._judge, self._runner.selectors)
        found: list[Finding] = []
        for name, address in list(coverage.own_frames.items()):
            way = WayIn(name, runner.runs(address, name))
            found += way.check()
            if not way.linted:
                del coverage.own_frames[name]
                coverage.unlinted.append(_not_run(name, address in by_sysret))
        return found

    def plain_runs(self, entry: Entry) -> list[Trace]:
        """Return a run of @entry from each ring, with nothing else set: those that anybody would look
        at first."""
        return list(self._run(entry, [USUAL[0], FROM_RING_3]))

    def play(self, entry: Entry, variant: Variant) -> Trace:
        """Return the run of @entry under @variant, with the state before every instruction."""
        return self._runner.run(entry, variant, watch=True)

    def locate(self, groups: list[Group]) -> None:
        """Say how to mend each group, and bring its first finding to its very instruction, with the
        stack there: findings on registers are made at the return, those on stores without a
        picture."""
        for group in groups:
            self._fixer.mend(group)
            first = group.first
            if first.trace is None or first.moment is None:
                continue
            about_registers = first.rule in ("register-lost", "registers-swapped")
            if not about_registers and first.moment.stack:
                continue
            if first.trace.watched:
                continue
            trace = self._runner.run(first.trace.entry, first.trace.variant, watch=True)
            before = self._culprit(trace) if about_registers else trace.watched_at(first.moment)
            if before is not None:
                first.trace, first.moment = trace, before
                for finding in [f for f in group.findings if f.pc == first.pc]:
                    finding.pc = before.pc

    @staticmethod
    def _culprit(trace: Trace) -> Moment | None:
        """Return the moment before the instruction that gave a register its wrong value."""
        now, before = trace.end.moment.registers, trace.values.registers
        return trace.last_change([name for name in GENERAL if now[name] != before[name]])

    def _guess_selectors(self, entries: list[Entry]) -> tuple[int, int, int, int]:
        """Return the usual selectors, with those that a stub compares the saved CS to."""
        kernel_cs, kernel_ss, user_cs, user_ss = USUAL_SELECTORS
        for entry in entries[:FEW]:
            variant = replace(USUAL[0], has_code=self._has_code(entry))
            if not any(map(self._compares, self._runner.run(entry, variant).path)):
                continue
            trace = self._runner.run(entry, variant, watch=True)
            for moment in trace.watched:
                value = self._compared_to(moment, trace.frame_address + 8)
                if value is not None and value & 3 == 3:
                    user_cs = value
                elif value:
                    kernel_cs = value
        return kernel_cs, kernel_ss, user_cs, user_ss

    def _compared_to(self, moment: Moment, address: int) -> int | None:
        """Return the constant that the instruction at @moment compares the word at @address to."""
        if not self._compares(moment.pc):
            return None
        instruction = self.decoder.at(moment.pc)
        constant = instruction.detail.operands[1]
        if constant.type != x86.X86_OP_IMM:
            return None
        accessed = self.decoder.memory_address(instruction, moment.registers)
        return constant.imm if accessed == address else None

    def _compares(self, pc: int) -> bool:
        instruction = self.decoder.at(pc)
        return instruction is not None and instruction.mnemonic == "cmp"

    def _has_code(self, entry: Entry) -> bool:
        """Whether the CPU pushes a code for @entry. If its vector is not known, the stub itself
        tells: it returns properly with a code, and not without."""
        if entry.known:
            return entry.vector in VECTORS_WITH_CODE
        returns = []
        for has_code in (False, True):
            trace = self._trace(entry, replace(USUAL[0], has_code=has_code))
            at_call = trace.calls[0].misalignment if trace.calls else 0
            off = trace.end.moment.rsp != trace.frame_address and trace.end.kind == "iretq"
            returns.append(not off and not at_call)
        return returns == [False, True]

    def _run(self, entry: Entry, variants: Iterable[Variant]) -> Iterator[Trace]:
        has_code = self._has_code(entry)
        for variant in variants:
            yield self._trace(entry, replace(variant, has_code=has_code))

    def _system_calls(
        self, entries: list[Entry], calls: SystemCalls, context: Context, found: list[Finding]
    ) -> Iterator[Finding]:
        runner = SystemCallRunner(
            self._image, self.decoder, self._judge, self._runner.selectors
        )
        known = {(finding.vector, finding.rule) for finding in found}
        return SystemCallChecks(runner, context, self._note).check(calls, entries, known)

    def _note(self, trace: Trace) -> None:
        self.runs += 1
        self._record.add(trace)

    def _trace(self, entry: Entry, variant: Variant) -> Trace:
        # A seed of its own for every vector, so that 256 stubs meet more than six states.
        seed = variant.seed + 16 * entry.vector
        trace = self._runner.run(
            entry, replace(variant, seed=seed, interrupts=entry.trap_gate)
        )
        self._note(trace)
        return trace

    def _context(self, usual: list[Trace], bare: list[Trace]) -> Context:
        smap = self._options.smap
        if smap is None:
            smap = self._executes(usual, ("clac", "stac"))
        return Context(
            self._image,
            self.decoder,
            self._judge,
            VectorUse(self._image, self._judge),
            smap,
            any(trace.swapgs for trace in usual),
            frame_shifts(usual + bare),
            {t.end.moment.pc for t in usual if _is_off(t, 8, has_code=True)},
            {t.end.moment.pc for t in usual if _is_off(t, 0, has_code=False)},
            self._options.abi,
        )

    def _executes(self, traces: list[Trace], mnemonics: tuple[str, ...]) -> bool:
        executed = {pc for trace in traces for pc in trace.path}
        return any(
            (instruction := self.decoder.at(pc)) and instruction.mnemonic in mnemonics
            for pc in executed
        )

    def _compare(
        self, traces: list[Trace], shifts: dict[tuple[int, bool], int], found: list[Finding]
    ) -> Iterator[Finding]:
        said = {finding.vector for finding in found if finding.rule in OFF_FRAME}
        yield from check_shapes([t for t in traces if t.entry.vector not in said], shifts)
        yield from check_vectors(traces, shifts)
        yield from check_codes(traces, shifts)
        yield from check_fields(traces, self._image.debug, shifts)

    def _without_code(
        self,
        broken: set[tuple[int | None, str]],
        bare: list[Trace],
        context: Context,
        misaligned_anyway: bool,
    ) -> Iterator[Finding]:
        """Report all that goes wrong without a code as one thing, unless the same is @broken with
        one: for one missing slot has many consequences. Alignment is none of them if vectors that
        never have a code do not have it either."""
        worse: dict[int, list[Finding]] = defaultdict(list)
        for trace in bare:
            found = check(context, trace)
            found += check_shapes([trace], context.shifts)
            worse[trace.entry.vector] += [
                finding
                for finding in without_consequences(found)
                if finding.severity in ("ERROR", "ABI")
                and (finding.vector, finding.rule) not in broken
                and not (misaligned_anyway and finding.rule == "stack-misaligned")
            ]
        for entry in {trace.entry.vector: trace.entry for trace in bare}.values():
            if worse[entry.vector]:
                yield self._no_code_frame(entry, worse[entry.vector])

    def _no_code_frame(self, entry: Entry, worse: list[Finding]) -> Finding:
        rule, first = RULES["no-code-frame"], worse[0]
        # Nothing can be done about what a compiler makes.
        compiled = self._fixer.is_compiled(entry.name, entry.address)
        consequences = sorted({finding.rule for finding in worse})
        return Finding(
            rule.name,
            "ERROR" if entry.dpl == 3 else "INFO" if compiled else rule.severity,
            entry.vector,
            "taken without an error code, the stub breaks " + ", ".join(consequences),
            rule.duty,
            entry.name,
            first.pc,
            first.moment,
            first.trace,
        )

    def _before_swapgs(
        self, entries: list[Entry], context: Context
    ) -> Iterator[Finding]:
        if not context.swaps_gs:
            return
        for entry in entries:
            if entry.vector in ANYWHERE and entry.known:
                for trace in self._run(entry, (BEFORE_SWAPGS,)):
                    for finding in check(context, trace):
                        if finding.rule == "swapgs-paranoid":
                            yield finding

    def _late_cr2(self, usual: list[Trace], context: Context) -> Iterator[Finding]:
        for trace in usual:
            if trace.entry.vector == PAGE_FAULT and trace.cr2:
                watched = self._runner.run(trace.entry, trace.variant, watch=True)
                yield from Cr2Checks(context, watched).check()

    def _circumstances(self, traces: list[Trace]) -> Iterator[Finding]:
        rule = RULES["c-returns-rsp"]
        for trace in traces:
            if trace.variant.c_returns_rsp:
                name = trace.calls[-1].callee.name if trace.calls else "C"
                yield Finding(
                    rule.name,
                    rule.severity,
                    trace.entry.vector,
                    f"RSP is what {name} returns",
                    rule.duty,
                    trace.entry.name,
                    trace.calls[-1].moment.pc if trace.calls else None,
                    trace.calls[-1].moment if trace.calls else None,
                    trace,
                )

    def _landing(self, entries: list[Entry]) -> Iterator[Finding]:
        """Yield findings on ENDBR64, if it is due."""
        without = [entry for entry in entries if not self._begins_with_endbr64(entry)]
        if not self._options.ibt and len(without) == len(entries):
            return
        rule = RULES["endbr64-missing"]
        for entry in without:
            yield Finding(
                rule.name,
                "ERROR" if self._options.ibt else rule.severity,
                entry.vector,
                "the stub does not begin with ENDBR64"
                + ("" if self._options.ibt else ", as others of this kernel do"),
                rule.duty,
                entry.name,
                entry.address,
            )

    def _outgrown(
        self, traces: list[Trace], entries: list[Entry], found: list[Finding]
    ) -> Iterator[Finding]:
        """Yield findings on stubs whose instructions reach into the next gate's stub. What is
        @found of that one comes of it, and is taken out."""
        starts = sorted({entry.address for entry in entries})
        rule, seen = RULES["stub-outgrown"], set()
        for trace in traces:
            entry = trace.entry
            following = bisect.bisect_right(starts, entry.address)
            if entry.vector in seen or following == len(starts):
                continue
            seen.add(entry.vector)
            for pc in trace.path[:LONGEST_STUB]:
                instruction = self.decoder.at(pc)
                if entry.address <= pc < starts[following] < instruction.end:
                    finding = Finding(
                        rule.name,
                        rule.severity,
                        entry.vector,
                        "the next vector's gate leads into the middle of this stub",
                        rule.duty,
                        entry.name,
                        pc,
                    )
                    inside = {e.vector for e in entries if e.address == starts[following]}
                    for other in found:
                        if other.vector in inside:
                            finding.fold(other)
                    found[:] = [other for other in found if other.vector not in inside]
                    yield finding

    def _begins_with_endbr64(self, entry: Entry) -> bool:
        instruction = self.decoder.at(entry.address)
        return instruction is not None and instruction.mnemonic == "endbr64"


def _not_run(name: str, by_sysret: bool) -> Function:
    return Function(
        name,
        f"`unlinted:{name}  REASON` in an --allow file leaves it out",
        "to ring 3, but no run came to that" if by_sysret else
        "with a frame of its own, but no run came to that",
        by="SYSRET" if by_sysret else "IRETQ",
    )  # fmt: skip


def _is_off(trace: Trace, distance: int, has_code: bool) -> bool:
    """Whether IRETQ finds RSP at this @distance from the frame, with or without a code."""
    end = trace.end
    off = end.moment.rsp - trace.frame_address
    return end.kind == "iretq" and trace.variant.has_code == has_code and off == distance
