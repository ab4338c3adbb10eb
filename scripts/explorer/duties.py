"""What each instruction of the path is for, in the words of the page: the same sorting as that of
`make compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    return found | _of_path(path, replay)


def _of_path(path: list[int], replay: Replay) -> dict[int, str | None]:
    insns = [insn for rip in path if (insn := replay.instructions.get(rip))]
    texts = [f"{insn.mnemonic} {insn.op_str}".strip().replace(", ", ",") for insn in insns]
    return {insn.address: DUTIES[name] for insn, name in zip(insns, duties(texts))}
