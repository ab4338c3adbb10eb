"""Looking for functions of the kernel that use the red zone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import capstone

from lint.checks.finding import Finding
from lint.checks.rules import RULES
from lint.load.image import Image

# ModRM with SIB and a displacement, SIB = [rsp], the displacement negative: SDM vol. 2, 2.1.
THROUGH_RSP = re.compile(
    rb"[\x44\x4c\x54\x5c\x64\x6c\x74\x7c]\x24[\x80-\xff]"
    rb"|[\x84\x8c\x94\x9c\xa4\xac\xb4\xbc]\x24..\xff\xff",
    re.DOTALL,
)
# MOV RBP, RSP; and SUB RSP, ADD RSP with a negative number or AND RSP, after which the frame is no
# red zone.
FRAME_POINTER = re.compile(rb"\x48\x89\xe5|\x48\x8b\xec")
OWN_FRAME = re.compile(rb"\x48[\x81\x83][\xec\xe4]|\x48\x83\xc4[\x80-\xff]")
LOWERS_RSP = re.compile(r"(sub|and) rsp,|add rsp, (-|0xf{8})")

BELOW = re.compile(r"\[(rsp|rbp) - (0x[0-9a-f]+|\d+)\]")
NO_ACCESS = ("lea", "nop", "prefetcht0", "prefetchnta")
FENCE = re.compile(r"lock (add|or|xor) .*, 0$")  # a full barrier: it changes nothing
MOST_NAMED = 4


def check_red_zone(image: Image) -> Iterator[Finding]:
    """Yield one finding if functions of @image keep data below RSP."""
    users = list(_users(image))
    if not users:
        return
    rule = RULES["red-zone"]
    named = ", ".join(image.describe(address) for address in users[:MOST_NAMED])
    more = f" and {len(users) - MOST_NAMED} more" if len(users) > MOST_NAMED else ""
    yield Finding(
        rule.name, rule.severity, None, f"the red zone is used by {named}{more}", rule.duty,
        pc=users[0],
    )  # fmt: skip


def _users(image: Image) -> Iterator[int]:
    """Yield for each function that does so the address of the first access below RSP."""
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    for symbol in image.symbols:
        if not symbol.is_function or not symbol.size or not image.is_code(symbol.address):
            continue
        data = image.read(symbol.address, symbol.size) or b""
        through_rbp = FRAME_POINTER.search(data) and not OWN_FRAME.search(data)
        if through_rbp or THROUGH_RSP.search(data):
            address = _first_access(list(decoder.disasm_lite(data, symbol.address)))
            if address is not None:
                yield address


def _first_access(code: list[tuple[int, int, str, str]]) -> int | None:
    """Return the address of the first access below RSP. RBP minus all that is pushed is taken
    for the lowest RSP of a function without a frame of its own."""
    pushed = 8 * sum(mnemonic == "push" and operands != "rbp" for _, _, mnemonic, operands in code)
    has_frame = any(LOWERS_RSP.match(f"{m} {o}") for _, _, m, o in code)
    sets_rbp = any(m == "mov" and o == "rbp, rsp" for _, _, m, o in code)
    if any(mnemonic == "iretq" for _, _, mnemonic, _ in code):
        return None  # a stub, which is judged as it runs
    for address, _, mnemonic, operands in code:
        match = BELOW.search(operands)
        if match is None or mnemonic in NO_ACCESS or FENCE.match(f"{mnemonic} {operands}"):
            continue
        if match[1] == "rsp":
            return address
        if sets_rbp and not has_frame and int(match[2], 0) > pushed:
            return address
    return None
