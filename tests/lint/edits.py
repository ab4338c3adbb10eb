"""The ways in which interrupt paths are broken, each with the rule that must say so: edits of the
designs in tests/lint/corpus, and what one -D does to stubs.asm and handler.c.

An edit puts instructions before, after or in the place of a landmark: a word after @ in a comment
of a design in tests/lint/corpus. A design that lacks the landmark cannot be broken like that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BEFORE, AFTER, INSTEAD = "before", "after", "instead"


@dataclass(frozen=True)
class Edit:
    """A mistake. The instructions are in what NASM's and GAS's Intel syntax have in common, and in
    braces what they have not."""

    name: str
    rule: str
    changes: tuple[tuple[str, str, str], ...]  # how, at which landmark, what
    also: tuple[str, ...] = ()  # rules that the same mistake breaks by itself
    options: tuple[str, ...] = ()


def edit(name: str, rule: str, *changes: tuple[str, str, str], also: str = "",
         options: str = "") -> Edit:  # fmt: skip
    """Return the edit of these words."""
    return Edit(name, rule, changes, tuple(also.split()), tuple(options.split()))


def before(landmark: str, text: str) -> tuple[str, str, str]:
    return BEFORE, landmark, text


def after(landmark: str, text: str) -> tuple[str, str, str]:
    return AFTER, landmark, text


def instead(landmark: str, text: str = "") -> tuple[str, str, str]:
    return INSTEAD, landmark, text


def around(landmark: str, first: str, second: str) -> tuple[tuple[str, str, str], ...]:
    return (BEFORE, landmark, first), (AFTER, landmark, second)


EDITS = (
    edit("one word too much at the call", "stack-misaligned",
         *around("call", "sub rsp, 8", "add rsp, 8")),
    edit("a helper's argument on the stack at the call", "stack-misaligned",
         *around("call", "push 0; push 0; push 0", "add rsp, 24")),
    edit("no realign", "stack-misaligned", instead("align")),
    edit("no CLD", "df-set", instead("cld")),
    edit("STD at the call", "df-set", before("call", "std")),
    edit("no CLAC", "ac-set", instead("clac"), options="--smap"),
    edit("STAC at the call", "ac-set", before("call", "stac"), options="--smap"),
    edit("another's vector", "vector-wrong", instead("vector7", "push 6")),
    edit("a vector as a byte", "vector-sign-extended", instead("vector200", "push -56")),
    edit("another code", "code-wrong", before("first13", "mov {q} [rsp], 5")),
    edit("another code, in a stub of its own", "code-wrong", before("own13", "mov {q} [rsp], 5")),
    edit("a forgotten register", "register-lost", before("restored", "xor r11d, r11d")),
    edit("a word of garbage in a register", "register-lost", before("restored", "mov r9, [rsp]")),
    edit("a callee-saved register that is used", "register-lost",
         before("restored", "xor r15d, r15d")),
    edit("two registers mixed up", "registers-swapped", before("restored", "xchg r8, r9")),
    edit("three registers mixed up", "registers-swapped",
         before("restored", "xchg rcx, rdx; xchg rdx, rsi")),
    edit("a register kept in a variable", "register-parked",
         before("entry", "mov [{parked}], r11; xor r11d, r11d"),
         before("restored", "mov r11, [{parked}]")),
    edit("an XMM register cleared", "vector-register-lost", before("saved", "pxor xmm9, xmm9")),
    edit("VZEROUPPER", "vector-register-lost", before("saved", "vzeroupper")),
    edit("FNINIT", "fpu-control-lost", before("saved", "fninit")),
    edit("LDMXCSR", "fpu-control-lost",
         before("saved", "push 0x1F80; ldmxcsr [rsp]; add rsp, 8")),
    edit("FXSAVE alone", "fpu-not-restored",
         *around("call", "sub rsp, 512; fxsave64 [rsp]", "add rsp, 512")),
    edit("FS loaded", "fs-base-lost", before("saved", "xor eax, eax; mov fs, ax")),
    edit("another CR3", "cr3-not-restored",
         before("saved", "mov rax, cr3; xor rax, 0x1000; mov cr3, rax")),
    edit("CR2 after the call", "cr2-late", after("call", "mov rax, cr2"), before("saved", "")),
    edit("CR2 after STI", "cr2-late", before("saved", "sti; mov rax, cr2; cli")),
    edit("the code kept", "code-not-dropped", before("drop", "sub rsp, 8")),
    edit("the code kept, in each stub", "code-not-dropped", before("own_drop", "sub rsp, 8"),
         also="return-off-frame"),
    edit("the code dropped twice", "code-dropped-twice", before("drop", "add rsp, 8")),
    edit("the code dropped twice, in each stub", "code-dropped-twice",
         before("own_drop", "add rsp, 8"), also="dummy-code-missing"),
    edit("no dummy", "dummy-code-missing", instead("dummy6")),
    edit("no dummy, in a stub of its own", "dummy-code-missing", before("first6", "add rsp, 8")),
    edit("a dummy beside the code", "dummy-code-extra", before("first13", "push 0")),
    # Nobody can tell it from a code that is kept.
    edit("a dummy beside the code, in a stub of its own", "code-not-dropped",
         before("own13", "push 0")),
    edit("RSP two words off at the return", "return-off-frame", before("iretq", "sub rsp, 16")),
    edit("RSP three words off at the return", "return-off-frame", before("iretq", "add rsp, 24")),
    edit("RET", "return-by-ret", instead("iretq", "ret")),
    edit("RET with a number", "return-by-ret", instead("iretq", "ret 8")),
    edit("IRETD", "return-by-iret", instead("iretq", "iretd")),
    edit("a jump through a null pointer", "execution-lost",
         before("first6", "xor eax, eax; jmp rax")),
    edit("no instruction", "invalid-instruction", before("first6", "{byte} 6")),
    edit("padding", "runs-into-padding", before("first6", "int3; int3; int3")),
    edit("a pointer that is none", "wild-access",
         before("first6", "mov rax, 0x1234567890123456; mov rax, [rax]")),
    edit("a division by zero", "exception-in-stub",
         before("saved", "xor ecx, ecx; xor edx, edx; div ecx")),
    edit("MOVAPS off by 8", "operand-misaligned",
         *around("call", "sub rsp, 32; movaps [rsp + 8], xmm0", "add rsp, 32")),
    edit("a push over the frame", "frame-overwritten",
         before("iretq", "add rsp, 40; push rax; sub rsp, 32")),
    edit("other flags", "frame-rewritten", before("iretq", "xor {q} [rsp + 16], 0x200")),
    edit("another SS", "frame-rewritten", before("iretq", "mov {q} [rsp + 32], 0x10")),
    edit("a store above the frame", "write-above-frame", before("iretq", "mov [rsp + 40], rax")),
    edit("a store below RSP", "write-below-rsp", before("saved", "mov [rsp - 16], rax")),
    edit("STI first", "early-sti", before("entry", "sti")),
    edit("no SWAPGS", "swapgs-missing", instead("swap_in"), instead("swap_out")),
    edit("SWAPGS always", "swapgs-from-ring-0", instead("test_in"), instead("test_out")),
    edit("SWAPGS on the way in alone", "swapgs-unbalanced", instead("swap_out")),
    edit("SWAPGS twice on the way out", "swapgs-unbalanced", before("swap_out", "swapgs")),
    edit("STI before SWAPGS", "swapgs-interruptible", before("swap_out", "sti")),
    edit("the NMI trusts CS", "swapgs-paranoid", instead("nmi", "{common_nmi}")),
    edit("GS loaded", "gs-selector-loaded", before("saved", "xor eax, eax; mov gs, ax")),
    edit("GS used before SWAPGS", "gs-user-access", before("entry", "push {q} {gs0}; add rsp, 8")),
    edit("no test for a code", "no-code-frame", instead("test_code")),
    edit("one stub without ENDBR64", "endbr64-missing", instead("endbr7")),
    edit("a halt", "never-returns", before("saved", "hlt; hlt")),
    edit("a loop", "never-returns", before("saved", "jmp {here}")),
    edit("another stack from C", "c-returns-rsp", instead("back", "mov rsp, rax")),
    edit("AVX-512", "not-judged", before("saved", "vpxord zmm0, zmm0, zmm0")),
)

LANDMARK = re.compile(r"^(?P<code>.*?)[ \t]*(?:;|#|//)[ \t]*@(?P<name>\w+)[ \t]*$", re.MULTILINE)


def landmarks(text: str) -> set[str]:
    """The landmarks of a design."""
    return {match["name"] for match in LANDMARK.finditer(text)}


def broken(text: str, mistake: Edit, syntax: dict[str, str]) -> str:
    """Return the design @text with @mistake; @syntax says how its assembler writes it."""
    for how, landmark, instructions in mistake.changes:
        added = syntax["block"].format("\n".join(instructions.format(**syntax).split("; ")))

        def change(match: re.Match[str], how=how, landmark=landmark, added=added) -> str:
            if match["name"] != landmark:
                return match[0]
            label, code = re.match(r"(\w+:(?!\w)|)(.*)", match["code"], re.DOTALL).groups()
            around = {BEFORE: (added, code), AFTER: (code, added), INSTEAD: (added,)}[how]
            return "\n".join((label, *around, match[0][len(match["code"]):]))

        text = LANDMARK.sub(change, text)
    return text


@dataclass(frozen=True)
class Bug:
    """What a -D breaks, and the rule that must say so."""

    rule: str
    stubs: tuple[str, ...] = ()
    c: tuple[str, ...] | None = None  # None: without the C side
    options: tuple[str, ...] = ()
    severity: str | None = None  # None: the rule's own
    without: str = ""  # a flag of KERNEL_C to leave out
    partial: bool = False  # what follows the bug never runs
    also: tuple[str, ...] = ()  # rules that the same mistake breaks by itself

    def __str__(self) -> str:
        return "-".join([self.rule, *self.stubs, *(self.c or ())])


BUGS = (
    Bug("stack-misaligned", ("MISALIGNED",)),
    Bug("df-set", ("NO_CLD",), also=("swapgs-interruptible",)),
    Bug("ac-set", ("NO_CLAC",), options=("--smap",)),
    Bug("vector-wrong", ("VECTOR_WRONG",)),
    Bug("vector-sign-extended", ("SIGN_EXTENDED",)),
    Bug("code-wrong", ("CODE_WRONG",)),
    Bug("frame-shifted", ("HALTS",)),
    Bug("struct-field", c=("FIELDS_SWAPPED",)),
    Bug("struct-by-value", c=("BY_VALUE",)),
    Bug("sse-unsaved", c=("USES_SSE",), without="-mgeneral-regs-only"),
    Bug("red-zone", c=("USES_RED_ZONE",), without="-mno-red-zone"),
    Bug("register-lost", ("R11_UNSAVED",)),
    Bug("register-lost", ("R11_UNSAVED",), c=("CHANGES_ALL",), also=("struct-field",)),
    Bug("registers-swapped", ("SWAPPED",)),
    Bug("register-luck", ("R11_UNSAVED",), c=(), also=("struct-field",)),
    Bug("vector-register-lost", ("XMM_CHANGED",)),
    Bug("rax-returned", ("RAX_RETURNED",), also=("register-lost",)),
    Bug("code-not-dropped", ("CODE_KEPT",)),
    Bug("code-dropped-twice", ("CODE_TWICE",)),
    Bug("dummy-code-missing", ("DUMMY_MISSING",)),
    Bug("dummy-code-extra", ("DUMMY_EXTRA", "NO_CODE_FRAME"), also=("no-code-frame",)),
    Bug("return-off-frame", ("OFF_FRAME",)),
    Bug("return-by-ret", ("RET",)),
    Bug("return-by-iret", ("IRET32",)),
    Bug("execution-lost", ("LOST",)),
    Bug("invalid-instruction", ("INVALID",)),
    Bug("wild-access", ("WILD_ACCESS",), also=("register-lost",)),
    Bug("exception-in-stub", ("EXCEPTION",)),
    Bug("operand-misaligned", ("MISALIGNED_OPERAND",)),
    Bug("frame-overwritten", ("OVERWRITTEN",)),
    Bug("frame-rewritten", ("FLAGS_REWRITTEN",)),
    Bug("write-above-frame", ("ABOVE_FRAME",)),
    Bug("write-below-rsp", ("BELOW_RSP",)),
    Bug("early-sti", ("EARLY_STI",)),
    Bug("swapgs-missing", ("SWAPGS_NEVER",)),
    Bug("swapgs-from-ring-0", ("SWAPGS_ALWAYS",)),
    Bug("swapgs-unbalanced", ("SWAPGS_ONCE",)),
    Bug("swapgs-interruptible", ("SWAPGS_INTERRUPTIBLE",)),
    Bug("swapgs-paranoid", ("NOT_PARANOID",)),
    Bug("gs-selector-loaded", ("GS_LOADED",)),
    Bug("gs-user-access", ("GS_ACCESS",)),
    Bug("no-code-frame", ("NO_CODE_FRAME",)),
    Bug("endbr64-missing", ("ENDBR_MISSING",)),
    Bug("endbr64-missing", ("ENDBR_MISSING",), options=("--ibt",), severity="ERROR"),
    Bug("stub-outgrown", ("OUTGROWN",), options=("--table", "isr0", "--stride", "32",
                                                 "--count", "24")),
    Bug("register-parked", ("PARKED",)),
    Bug("fpu-control-lost", ("MXCSR_LOADED",)),
    Bug("fpu-control-lost", ("FNINIT",)),
    Bug("vector-register-lost", ("VZEROUPPER",)),
    Bug("fpu-not-restored", ("FXSAVE",)),
    Bug("fs-base-lost", ("FS_LOADED",)),
    Bug("cr3-not-restored", ("CR3_LOADED",)),
    Bug("cr2-late", ("CR2_LATE",)),
    Bug("cr2-late", ("CR2_AFTER_ACCESS",)),
    Bug("runs-into-padding", ("PADDING",)),
    Bug("never-returns", ("HALTS",), partial=True, also=("frame-shifted",)),
    Bug("c-returns-rsp", ("RETURNS_RSP",)),
    Bug("stack-switched", ("SWITCHES",), partial=True),
    Bug("not-judged", ("UNKNOWN",), partial=True),
)  # fmt: skip
