"""Run all of mutants.py: each must be found by one of the checks, or be a proven equivalent.
Usage: mutate.py [TEXT]: only those with this text in their names."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
sys.path.insert(0, str(Path(__file__).parent / "support"))

import checks  # noqa: E402
import mutants  # noqa: E402
from museum.bugs import ROOT, BuildError, Tree  # noqa: E402
from mutants import Mutant  # noqa: E402

WORKERS = 2
OF_ASSEMBLY = (checks.fuzz,) * checks.HAS_SILICON + (checks.static, checks.catalogue, checks.unwind)
OF_C = (checks.catalogue, checks.machines)
BUILD = "build"  # it does not compile
SAME = "same"  # the compiler makes the same program of it
PROGRAM, SOUND_PROGRAM = "loaded.elf", "sound.elf"
WIDTH = 60  # of a symptom


def sound_tree(name: str) -> Tree:
    """Make a tree for kill()."""
    tree = Tree(f"mutants/{name}")
    checks.keep_sound_words(tree)
    shutil.copy2(tree.make(PROGRAM), tree.build / SOUND_PROGRAM)
    return tree


def is_same(tree: Tree) -> bool:
    """Whether the program in @tree is the sound one to the last byte."""
    sound = tree.build / SOUND_PROGRAM
    return tree.make(PROGRAM).read_bytes() == sound.read_bytes()


def kill(tree: Tree, mutant: Mutant) -> tuple[str, str]:
    """Return the first check that finds @mutant, and what it found; two empty strings if it
    survives; SAME if there is nothing to find. @tree is as it was before afterwards."""
    source = tree.path / mutant.source
    source.write_text(mutant.text)
    try:
        if mutant.is_c and is_same(tree):
            return SAME, ""
        for check in OF_C if mutant.is_c else OF_ASSEMBLY:
            if found := check(tree):
                return check.__name__, found
        return "", ""
    except BuildError as error:
        return BUILD, str(error)
    finally:
        source.write_text((ROOT / mutant.source).read_text())


def symptom(found: str) -> str:
    """The first line of what a check found that says something."""
    lines = [line.strip() for line in found.splitlines()]
    telling = [line for line in lines if line and not line.startswith(("fuzz:", "NASM", "make"))]
    return telling[0][:WIDTH] if telling else ""


def try_all(every: list[Mutant]) -> Iterator[tuple[Mutant, str, str]]:
    """Yield each mutant, in order, with what kill() says of it."""
    trees: SimpleQueue[Tree] = SimpleQueue()
    for number in range(WORKERS):
        trees.put(sound_tree(str(number)))

    def try_one(mutant: Mutant) -> tuple[Mutant, str, str]:
        tree = trees.get()
        try:
            return mutant, *kill(tree, mutant)
        finally:
            trees.put(tree)

    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(try_one, every)


def wrongs(killers: dict[str, str], equivalents: dict[str, str]) -> list[str]:
    """What is not as the list of equivalents has it."""
    found = [f"{name}: there is no such mutant" for name in equivalents.keys() - killers.keys()]
    for name, killer in killers.items():
        if name in equivalents and killer not in ("", SAME):
            found.append(f"{name}: is no equivalent, {killer} finds it")
        elif name not in equivalents and not killer:
            found.append(f"{name}: survives")
    return found


def print_figures(killers: dict[str, str], equivalents: dict[str, str], seconds: float) -> None:
    same = {name for name, killer in killers.items() if killer == SAME} - equivalents.keys()
    by = Counter(killer for killer in killers.values() if killer not in ("", SAME))
    each = ", ".join(f"{count} by {name}" for name, count in by.most_common())
    rate = 100 * by.total() / max(1, len(killers.keys() - equivalents.keys() - same))
    told = f"{len(equivalents)} of them proven equivalents, {len(same)} the same program"
    print(f"\n{len(killers)} mutants, {told}.")
    print(f"Killed: {by.total()}, {rate:.1f} % of the others: {each}.")
    print(f"{seconds:.0f} seconds.")


def main(text: str = "") -> int:
    start = time.monotonic()
    every = [mutant for mutant in mutants.mutants() if text in mutant.name]
    equivalents = {name: why for name, why in mutants.equivalents().items() if text in name}
    if not every:
        sys.exit(f"barestub: no mutant has {text!r} in its name")
    killers = {}
    for mutant, killer, found in try_all(every):
        killers[mutant.name] = killer
        words = f"{killer}: {symptom(found)}" if killer else "survives"
        print(f"{mutant.name}\n    {words}", flush=True)
    print_figures(killers, equivalents, time.monotonic() - start)
    wrong = wrongs(killers, equivalents)
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
