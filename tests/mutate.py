"""Run all of mutants.py: each must be found by one of the checks, or be a proven equivalent."""

from __future__ import annotations

import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))

import checks  # noqa: E402
import mutants  # noqa: E402
from museum import ROOT, BuildError, Tree  # noqa: E402
from mutants import Mutant  # noqa: E402

WORKERS = 2
CHECKS = (checks.fuzz,) * checks.HAS_SILICON + (checks.static, checks.check_all, checks.unwind)
ASSEMBLER = "assembler"
WIDTH = 60  # of a symptom


def kill(tree: Tree, mutant: Mutant) -> tuple[str, str]:
    """Return the first check that finds @mutant, and what it found; two empty strings if it
    survives. @tree is as it was before afterwards."""
    source = tree.path / mutant.source
    source.write_text(mutant.text)
    try:
        for check in CHECKS:
            if found := check(tree):
                return check.__name__, found
        return "", ""
    except BuildError as error:
        return ASSEMBLER, str(error)
    finally:
        source.write_text((ROOT / mutant.source).read_text())


def symptom(found: str) -> str:
    """The first line of what a check found that says something."""
    lines = [line.strip() for line in found.splitlines()]
    telling = [line for line in lines if line and not line.startswith(("fuzz:", "NASM", "make"))]
    return telling[0][:WIDTH] if telling else ""


def main() -> int:
    start = time.monotonic()
    equivalents = mutants.equivalents()
    trees: SimpleQueue[Tree] = SimpleQueue()
    for number in range(WORKERS):
        trees.put(Tree(f"mutants/{number}"))

    def try_one(mutant: Mutant) -> tuple[str, str]:
        tree = trees.get()
        try:
            return kill(tree, mutant)
        finally:
            trees.put(tree)

    every = mutants.mutants()
    by: Counter[str] = Counter()
    wrong = [f"{name}: there is no such mutant" for name in equivalents.keys() - {m.name for m in every}]
    with ThreadPoolExecutor(WORKERS) as pool:
        for mutant, (killer, found) in zip(every, pool.map(try_one, every)):
            expected = mutant.name in equivalents
            by[killer] += 1
            print(f"{mutant.name}\n    {killer or 'survives'}: {symptom(found)}", flush=True)
            if expected and killer:
                wrong.append(f"{mutant.name}: is no equivalent, {killer} finds it")
            if not expected and not killer:
                wrong.append(f"{mutant.name}: survives")

    survive = by.pop("", 0)
    killers = ", ".join(f"{count} by {name}" for name, count in by.most_common())
    print(f"\n{len(every)} mutants, {by.total()} killed: {killers}.")
    print(f"{survive} survive, {len(equivalents)} are proven equivalents.")
    rate = 100 * by.total() / max(1, len(every) - len(equivalents))
    print(f"{rate:.1f} % of those that are none are killed. {time.monotonic() - start:.0f} s.")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
