"""How a test holds what came of a catalogue entry against the manuals, the table of deviations and
the kernel's own verdict, whatever emulator it came on."""

from __future__ import annotations

import warnings

import deviations
from catalogue import is_own
from deviations import Deviation, Implementation
from trapline import Fields, Raised
from truth import Case


def is_run(name: str, raised: Raised, here: Implementation, case: Case) -> bool:
    """Whether the entry @name was run: not where the table says that it hangs or ends @here."""
    if not raised.danger:
        return True
    assert not raised.traps
    case.deviation = f"not run: {raised.danger}"
    if not here.is_measured:
        warnings.warn(f"{name}: unsafe in some versions, here not tried", stacklevel=1)
    return False


def hold(
    name: str,
    raised: Raised,
    seen: list[Fields],
    rows: list[Deviation],
    here: Implementation,
    case: Case,
) -> None:
    """Fail unless the traps @seen are those of the manuals, or of @rows for @here, and the kernel's
    verdict is the same."""
    expected = [trap for trap in raised.expected if "interrupted" not in trap]
    judgement = deviations.judge(expected, seen, rows, here)
    if is_own(name):
        judgement = deviations.judge_own(raised)
    assert not judgement.wrong, "\n".join(judgement.wrong)
    if judgement.remark:
        warnings.warn(f"{name}: {judgement.remark}", stacklevel=1)

    verdict = "pass"
    if judgement.deviation:
        verdict = "skip" if raised.is_refused else "known"
        case.deviation = judgement.deviation.reason
    assert raised.result.split()[0] == verdict, raised.result
