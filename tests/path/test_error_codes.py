"""Whether the CPU has pushed an error code, for each vector, told by RSP. QEMU's log of traps has 0
for "no code", too; but the CPU aligns the top of its frame to 16 (SDM vol. 3, 6.14.2), so at the
first instruction of a stub RSP mod 16 is 8 below five slots, and 0 below six. QEMU logs the
registers there as well: `-d cpu`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import intlog
import trapline
from catalogue import entries, is_fatal
from conftest import NO_SCREEN
from qemu import Qemu
from elf.symbols import Symbol

STUB_SIZE = 16
VECTORS = range(256)

# The exceptions that carry a code, of those that TCG can deliver. APM vol. 2, table 8-1.
WITH_CODE = {8, 10, 11, 12, 13, 14, 17}

# The timer, the keyboard, the serial line and the call that ends ring 3: the kernel tells of none.
NOT_TOLD = {64, 65, 68, trapline.USER_CALL}

# The entries that raise the others, by the beginnings of their names.
FAMILIES = ("ac-", "align", "cp-", "df-", "gp-", "inject-", "int-all", "ipi-all", "iret-", "np-")
FAMILIES += ("pf-", "serial-", "ss-", "stack-", "ts-")
NAMES = [name for name in entries() if name.startswith(FAMILIES) and not is_fatal(name)]

RECORDS = re.compile(r"^(?= *\d+: v=)", re.MULTILINE)

# Vector, saved RIP (of an INT n the instruction's own), and the error code or "none".
Arrival = tuple[int, int, "int | str"]


def arrivals(log: str, stubs: int) -> Iterator[Arrival]:
    """Yield each trap of @log that comes to its stub. The stubs lie at @stubs."""
    for text in RECORDS.split(log)[1:]:
        record = intlog.RECORD.match(text)
        vector, rip, error = (int(record[name], 16) for name in ("vector", "rip", "error"))
        stub = stubs + vector * STUB_SIZE
        if at_stub := re.search(rf"RSP=(\w+)\n.*\n.*\nRIP={stub:x} ", text):
            yield vector, rip, error if int(at_stub[1], 16) % 16 == 0 else "none"


def test_the_kernel_tells_it_right(
    iso: str, state: Callable[[str], str], symbols: dict[str, Symbol]
) -> None:
    stubs = symbols["isr_0_DE"].address
    logged = ("-d", "int,cpu", "-dfilter", f"{stubs:#x}+{len(VECTORS) * STUB_SIZE}")
    with Qemu(iso, state=state("no screen"), options=(*NO_SCREEN, *logged)) as machine:
        machine.type("\n".join(f"raise {name}" for name in NAMES))
        machine.poweroff()
        came = list(arrivals(machine.log(), stubs))
        told = trapline.parse(machine.text).traps

    peek = symbols["peek"]  # the kernel's own faults, of which nobody is told
    own = range(peek.address, peek.address + peek.size)
    seen = [(vector, code) for vector, rip, code in came if rip not in own]
    assert [(trap["vector"], trap["error"]) for trap in told if trap["vector"] not in NOT_TOLD] == [
        each for each in seen if each[0] not in NOT_TOLD
    ]
    assert {vector for vector, code in seen if code == "none"} == set(VECTORS)
    assert {vector for vector, code in seen if code != "none"} == WITH_CODE

