"""The bench's program, tests/silicon/bench.c: compiled, linked in random orders, and run."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from paths.handlers import ROOT, SOURCES, InterruptPath, must
from paths.rounds import Round


def link(build: Path, paths: list[InterruptPath], order: int) -> Path:
    """Link the bench with its objects in the random @order, and gaps between them."""
    dice = random.Random(order)
    own = [str(build / "deliver.o"), str(build / "bench.o")]
    objects = own + sorted({str(path.object) for path in paths})
    dice.shuffle(objects)
    gaps = build / "gaps.asm"
    mixed = []
    for number, item in enumerate(objects):
        gaps.write_text(f"section .text align=16\ntimes {16 * dice.randrange(64)} nop\n")
        gap = str(build / f"gap{number}.o")
        must(["nasm", "-f", "elf64", "-o", gap, str(gaps)])
        mixed += [gap, item]
    program = build / "bench"
    must(["cc", "-no-pie", "-z", "noexecstack", "-o", str(program), *mixed])
    return program


def compile_bench(build: Path, paths: list[InterruptPath]) -> None:
    """Compile the program with its list of paths."""
    names = ["floor", *(path.key for path in paths)]
    (build / "paths.def").write_text("".join(f"PATH({name})\n" for name in names))
    flags = f"-std=c17 -D_GNU_SOURCE -O2 -g -iquote {build} -iquote {ROOT}/kernel".split()
    must(["cc", *flags, "-c", "-o", str(build / "bench.o"), str(SOURCES / "bench.c")])
    must(["nasm", "-f", "elf64", "-o", str(build / "deliver.o"), str(SOURCES / "deliver.asm")])


@dataclass
class Measured:
    """What the program said."""

    facts: dict[str, str] = field(default_factory=dict)
    instructions: dict[str, int] = field(default_factory=dict)
    orders: list[list[Round]] = field(default_factory=list)

    def run(self, program: Path, count: int, seed: int) -> None:
        """Run one link order's @program for @count rounds."""
        text = must([str(program), str(count), str(seed)])
        facts, counts, rounds = (part.splitlines() for part in text.split("\n\n"))
        self.facts = {name: value for name, _, value in (line.partition(" ") for line in facts)}
        self.instructions = {
            name: int(number) for name, _, number in (line.rpartition(" ") for line in counts)
        }
        self.orders.append(
            [dict(zip(self.instructions, map(float, line.split()))) for line in rounds]
        )
