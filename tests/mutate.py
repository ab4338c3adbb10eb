"""Run all of mutants.py: each must be found by one of the checks, or be a proven equivalent. Who is
interrupted tells what has become of those before.
Usage: mutate.py [TEXT]: only those with this text in their names."""

from __future__ import annotations

import filecmp
import functools
import os
import shutil
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
sys.path.insert(0, str(Path(__file__).parent / "support"))

import checks  # noqa: E402
import mutants  # noqa: E402
from museum.bugs import ROOT, BuildError, Tree  # noqa: E402
from mutants import Mutant  # noqa: E402

WORKERS = os.cpu_count() or 1
OF_ASSEMBLY = (checks.fuzz,) * checks.HAS_SILICON + (checks.static, checks.catalogue, checks.unwind)
# What can be said of a mutant beside the name of the check that finds it.
BUILD = "build"  # it does not compile
SAME = "same"  # the compiler makes the same program of it
HANG = "hang"
BUSY = "busy"  # nothing: what was late is late on the sound kernel, too
PROGRAM, SOUND_PROGRAM = "loaded.elf", "sound.elf"
COLUMNS = 80
INTERRUPTED = 130  # the exit status that a shell has for it


def sound_tree(name: str) -> Tree:
    """Make a tree for kill()."""
    tree = Tree(f"mutants/{name}")
    checks.keep_sound_words(tree)
    shutil.copy2(tree.build / PROGRAM, tree.build / SOUND_PROGRAM)
    return tree


def is_same(tree: Tree) -> bool:
    """Whether the program that checks.catalogue() has built is the sound one to the last byte."""
    return filecmp.cmp(tree.build / PROGRAM, tree.build / SOUND_PROGRAM, shallow=False)


@functools.cache
def beside(tree: Tree) -> Tree:
    """A sound tree to hold against @tree."""
    return sound_tree(f"{tree.path.name}-sound")


def hangs(tree: Tree, again: Callable[[Tree], bool]) -> bool:
    """Whether it is the kernel of @tree that is late, and not this machine that is busy: then a
    sound kernel is late as well, at the same time."""
    with ThreadPoolExecutor(2) as pool:
        is_late, is_busy = pool.map(again, (tree, beside(tree)))
    return is_late and not is_busy


def checks_of(mutant: Mutant) -> Iterator[tuple[str, Callable[[Tree], str]]]:
    """Yield the names of the checks that must find @mutant, and the checks, the fastest first."""
    if mutant.is_c:
        yield checks.catalogue.__name__, checks.catalogue
        yield checks.machines.__name__, lambda tree: checks.machines(tree, mutant.source)
    else:
        yield from ((check.__name__, check) for check in OF_ASSEMBLY)


def kill(tree: Tree, mutant: Mutant) -> tuple[str, str]:
    """Return the first check that finds @mutant, and what it found; two empty strings if it
    survives; SAME if there is nothing to find. @tree is as it was before afterwards."""
    source = tree.path / mutant.source
    source.write_text(mutant.text)
    try:
        for name, check in checks_of(mutant):
            if found := check(tree):
                return name, found
            if mutant.is_c and is_same(tree):
                return SAME, ""
        return "", ""
    except checks.TimedOut as late:
        return HANG if hangs(tree, late.again) else BUSY, str(late)
    except BuildError as error:
        return BUILD, str(error)
    finally:
        source.write_text((ROOT / mutant.source).read_text())


def symptom(found: str) -> str:
    """The first line of what a check found that says something."""
    lines = [line.strip() for line in found.splitlines()]
    telling = [line for line in lines if line and not line.startswith(("fuzz:", "NASM", "make"))]
    return telling[0] if telling else ""


def shortened(line: str) -> str:
    return line if len(line) <= COLUMNS else line[: COLUMNS - 3] + "..."


def progress(number: int, count: int, seconds: float) -> str:
    """How far it has come behind mutant @number (from 1) of @count, after @seconds."""
    left = seconds / number * (count - number)
    return f"{number}/{count}" + (f", {left / 60:.0f} min left" if left >= 60 else "")


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
        if killer == BUSY:
            found.append(f"{name}: this machine is too busy to say, try it again with K=")
        elif name in equivalents and killer not in ("", SAME):
            found.append(f"{name}: is no equivalent, {killer} finds it")
        elif name not in equivalents and not killer:
            found.append(f"{name}: survives")
    return found


def figures(killers: dict[str, str], equivalents: dict[str, str]) -> str:
    """How many mutants there are, and what has become of them."""
    by = Counter(killer for name, killer in killers.items() if name not in equivalents)
    others = {BUILD: "do not build", SAME: "are the same program", "": "survive", BUSY: "unsure"}
    told = [f"{by.pop(killer)} {words}" for killer, words in others.items() if killer in by]
    told.append(f"{len(killers.keys() & equivalents.keys())} are proven equivalents")
    each = ", ".join(f"{count} by {name}" for name, count in by.most_common())
    return f"{len(killers)} mutants: {', '.join(told)}; {by.total()} are killed ({each})."


def tell(killers: dict[str, str], equivalents: dict[str, str], every: list[Mutant]) -> bool:
    """Print what has become of @every. Return whether it is as the list of equivalents has it."""
    for language, is_c in (("Assembly", False), ("C", True)):
        own = {m.name: killers[m.name] for m in every if m.is_c == is_c and m.name in killers}
        if own:
            print("\n" + textwrap.fill(f"{language}: {figures(own, equivalents)}", COLUMNS))
    wrong = wrongs(killers, equivalents)
    print("\n".join(wrong), end="\n" if wrong else "")
    return not wrong


def main(text: str = "") -> int:
    start = time.monotonic()
    every = [mutant for mutant in mutants.mutants() if text in mutant.name]
    equivalents = {name: why for name, why in mutants.equivalents().items() if text in name}
    if not every:
        sys.exit(f"barestub: no mutant has {text!r} in its name")
    killers: dict[str, str] = {}
    print(f"{len(every)} mutants, {min(WORKERS, len(every))} at a time.", flush=True)
    try:
        for mutant, killer, found in try_all(every):
            killers[mutant.name] = killer
            told = progress(len(killers), len(every), time.monotonic() - start)
            words = f"{killer}: {symptom(found)}" if killer else "survives"
            print(shortened(f"{told}: {mutant.name}"))
            print(shortened(f"    {words}"), flush=True)
    except KeyboardInterrupt:
        tell(killers, {name: equivalents[name] for name in equivalents.keys() & killers}, every)
        print(f"Interrupted behind {len(killers)} of {len(every)}. K= takes fewer.")
        return INTERRUPTED
    is_right = tell(killers, equivalents, every)
    print(f"{time.monotonic() - start:.0f} seconds.")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
