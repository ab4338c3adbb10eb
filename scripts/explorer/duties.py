"""What each instruction of the path is for, in the words of the page: the same sorting as that of
`make compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.log import GENERAL
from explorer.program import Program
from paths.duties import duties

if TYPE_CHECKING:
    from explorer.replay import Replay

# The rows of `make compare`, and the hidden duties of the page.
DUTIES = {
    "arrival": None,
    "error code, vector": "error code",
    "saving": "saving",
    "DF and AC": "flags",
    "alignment": "alignment",
    "argument": "arguments",
    "call of C": "arguments",
    "restoring": "saving",
    "return": "return",
}


def of_steps(replay: Replay, program: Program) -> dict[int, str | None]:
    """Return the duty of each instruction of stub and entry by its address."""
    found: dict[int, str | None] = {}
    path: list[int] = []
    for step in replay.steps:
        if step.rip is None or not (step.rip in program.stubs or step.rip in program.entry):
            continue
        path.append(step.rip)
        insn = replay.instructions.get(step.rip)
        if insn is not None and insn.mnemonic.startswith("iret"):
            found |= _of_path(path, replay)
            path = []
    return _of_path(path, replay) | found | dict.fromkeys(_saving(replay, program), "saving")


def _saving(replay: Replay, program: Program) -> list[int]:
    """Where trap_entry pushes registers, which it does for nothing else. A path that is cut off, or
    restores the wrong slots, does not tell."""
    pushes = [rip for rip, insn in replay.instructions.items() if insn and insn.mnemonic == "push"]
    pushed = {rip: replay.instructions[rip].op_str for rip in pushes if rip in program.entry}
    return [rip for rip, operand in pushed.items() if operand in GENERAL]


def _of_path(path: list[int], replay: Replay) -> dict[int, str | None]:
    insns = [insn for rip in path if (insn := replay.instructions.get(rip))]
    texts = [f"{insn.mnemonic} {insn.op_str}".strip().replace(", ", ",") for insn in insns]
    return {insn.address: DUTIES[name] for insn, name in zip(insns, duties(texts))}


def of_texts(texts: dict[int, str]) -> dict[int, str | None]:
    """The duty of each instruction of a path that is not ours, by its address; where it is not plain,
    none."""
    rows = duties([text.replace(", ", ",") for text in texts.values()])
    return {address: _plain(text, row) for (address, text), row in zip(texts.items(), rows)}


def _plain(text: str, row: str) -> str | None:
    """The duty of the instruction @text, which has the @row of `make compare`, where the latter goes
    by what there is in the paths that it knows."""
    operation, _, operands = text.partition(" ")
    is_plain = {
        "DF and AC": operation in ("cld", "clac"),
        "error code, vector": operation in ("push", "add"),
        "alignment": operands.startswith("rsp,"),
    }
    if operation == "push" and operands in GENERAL:
        return "saving"
    return DUTIES[row] if is_plain.get(row, True) else None
