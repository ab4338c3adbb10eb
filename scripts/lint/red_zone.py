"""Looking for functions of the kernel that use the red zone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import capstone

from lint.finding import Finding
from lint.image import Image
from lint.rules import RULES

# ModRM with SIB and a displacement, SIB = [rsp], the displacement negative: SDM vol. 2, 2.1.
CANDIDATE = re.compile(rb"[\x44\x4c\x54\x5c\x64\x6c\x74\x7c]\x24[\x80-\xff]"
                       rb"|[\x84\x8c\x94\x9c\xa4\xac\xb4\xbc]\x24..\xff\xff", re.DOTALL)  # fmt: skip
BELOW_RSP = re.compile(r"\[rsp - 0x[0-9a-f]+\]|\[rsp - \d+\]")
NO_ACCESS = ("lea", "nop", "prefetcht0", "prefetchnta")
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
        data = image.read(symbol.address, symbol.size)
        if not data or not CANDIDATE.search(data):
            continue
        for address, _, mnemonic, operands in decoder.disasm_lite(data, symbol.address):
            if BELOW_RSP.search(operands) and mnemonic not in NO_ACCESS:
                yield address
                break
