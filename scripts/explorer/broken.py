"""Records the kernels of the bug museum, up to the damage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import catalogue
from catalogue import Entry
from explorer import progress
from explorer.log import Delivered, Event
from explorer.machine import Ended, Machine, Raised
from explorer.program import Program
from explorer.recorder import Result, code_of, has_ticks, source_of
from explorer.recording import Nothing, Source, make_broken, runs
from explorer.replay import Disagreement
from museum.bugs import Bug, BuildError, Tree

TIMEOUT = 4  # seconds of QEMU's own for an entry that takes less than one in a sound kernel

# Which entry shows a mistake for which the museum names none.
SHOWN_BY = {
    "code-9": "inject-cso",
    "no-code-21": "inject-cp",
    "no-code-29": "inject-vc",
    "no-code-30": "inject-sx",
    "red-zone": "irq-sti",
}


def entry_of(bug: Bug) -> Entry:
    """The entry of the catalogue that shows @bug."""
    checked = [catch.subject for catch in bug.catches if catch.check == "check"]
    name = SHOWN_BY.get(bug.name) or checked[0]
    return next(entry for entry in catalogue.found() if entry.name == name)


def record(bug: Bug) -> list[Result]:
    """Build the kernel with @bug, and record the entry that shows it."""
    progress.begin(bug.name)
    tree = Tree(f"explorer/broken/{bug.name}")
    try:
        with kernel(tree, bug):
            return [Result(bug.name, record_kernel(tree, bug))]
    except (Nothing, Disagreement, BuildError) as why:
        return [Result(bug.name, None, str(why), is_wrong=isinstance(why, BuildError))]
    except Ended:
        return [Result(bug.name, None, "the kernel does not come to its prompt", is_wrong=True)]
    finally:
        tree.remove()


@contextmanager
def kernel(tree: Tree, bug: Bug) -> Iterator[None]:
    """Meanwhile @tree has @bug, and is built."""
    try:
        tree.apply(bug)
        tree.make("barestub.bare.iso")
        yield
    finally:
        tree.restore()


def record_kernel(tree: Tree, bug: Bug) -> dict:
    """Record the entry that shows @bug in the kernel of @tree, which has it."""
    entry = entry_of(bug)
    program = Program(tree.build / "barestub.elf", tree.path)
    found = _raise(tree, program, entry, [*program.path, *program.programs])
    if found[1].is_long and not _has_trap(found[2]):
        # It waits for its trap in a loop, and its own instructions are left out.
        found = _raise(tree, program, entry, program.path)
    source, answer, events = found
    names = {"name": bug.name, "group": "bug", "summary": bug.mistake, "healthy": entry.name}
    return make_broken(source, entry, answer, events) | names


def _raise(
    tree: Tree, program: Program, entry: Entry, where: list[range]
) -> tuple[Source, Raised, list[Event]]:
    """Raise @entry on a machine that logs the ranges @where. Return the entry's events, or all of
    them if the machine does not come to it."""
    with Machine(tree.build / "barestub.bare.iso", program, where) as running:
        tables = running.tables()
        answer = running.raise_fault(entry.name, has_ticks(entry), TIMEOUT)
        source = source_of(running, program, tables, where)
    events = runs(source).get(code_of(program, entry), [])
    return source, answer, source.log.events if answer.is_last and not _has_trap(events) else events


def _has_trap(events: list[Event]) -> bool:
    return any(isinstance(event, Delivered) for event in events)
