"""Who does what the architecture says: one table over all cases and machines.

Each test of a case leaves its result in a file of its own under build/truth/, whatever process it
runs in; at the end of the session they become build/truth.md and a summary.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import catalogue
import words
from trapline import Fields

# The machines in the order of the table's columns.
MODELS = {"qemu": "QEMU", "bochs": "Bochs", "kvm": "KVM", "silicon": "Silicon"}

PASS, DEVIATION, NOT_APPLICABLE, FAILURE = "pass", "deviation", "not applicable", "FAILED"
VERDICTS = (PASS, DEVIATION, NOT_APPLICABLE, FAILURE)

HEADING = """\
# Who does what the architecture says

Each case of tests/faults/, held against what the Intel SDM and the AMD APM say. A deviation is one
that tests/emulators.toml explains; "not applicable" is a case that this machine cannot be given.

"""


@dataclass
class Case:
    """What a test tells of its case as it goes; without more, the case has passed."""

    expected: list[Fields] = field(default_factory=list)
    deviation: str = ""  # why the machine is known to differ, where it does


class Truth:
    """The results of one session, in a directory that all its processes share."""

    def __init__(self, build: Path) -> None:
        self._directory = build / "truth"
        self._table = build / "truth.md"

    def clear(self) -> None:
        """Forget the results of earlier sessions."""
        shutil.rmtree(self._directory, ignore_errors=True)

    @contextmanager
    def case(self, model: str, machine: str, name: str) -> Iterator[Case]:
        """Around the test of the case @name on @model, a key of MODELS; @machine names it fully.
        A skipped test means that the case is not applicable there."""
        case = Case()
        verdict, reason = FAILURE, ""
        try:
            yield case
            verdict, reason = (DEVIATION, case.deviation) if case.deviation else (PASS, "")
        except pytest.skip.Exception as skipped:
            verdict, reason = NOT_APPLICABLE, skipped.msg
            raise
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise
        finally:
            result = {"machine": machine, "expected": case.expected}
            self._keep(model, name, {**result, "verdict": verdict, "reason": reason})

    def _keep(self, model: str, name: str, result: dict) -> None:
        file = self._directory / model / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result))

    def results(self) -> dict[str, dict[str, dict]]:
        """Return {model: {case: result}} for what has been recorded."""
        return {
            model: {
                file.stem: json.loads(file.read_text())
                for file in sorted((self._directory / model).glob("*.json"))
            }
            for model in MODELS
        }

    def write(self) -> list[str]:
        """Write the table; return the lines of its summary, none if there was no result."""
        results = self.results()
        if not any(results.values()):
            return []
        summary = _summary(results)
        self._table.write_text(HEADING + "\n".join(summary) + "\n\n" + _table(results))
        return [*summary, f"case by case: {self._table}"]


def _machines(results: dict[str, dict]) -> str:
    return ", ".join(sorted({result["machine"] for result in results.values()}))


def _summary(results: dict[str, dict[str, dict]]) -> list[str]:
    lines = ["| Machine | Cases | " + " | ".join(VERDICTS) + " |", "|---" * 6 + "|"]
    for model, cases in results.items():
        if cases:
            counts = Counter(result["verdict"] for result in cases.values())
            numbers = [len(cases), *(counts[verdict] for verdict in VERDICTS)]
            lines.append(f"| {_machines(cases)} | " + " | ".join(map(str, numbers)) + " |")
    return lines


def _table(results: dict[str, dict[str, dict]]) -> str:
    heads = ["Case", "Architecture", *MODELS.values()]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for case in sorted({case for cases in results.values() for case in cases}):
        seen = [cases.get(case) for cases in results.values()]
        expected = next((r["expected"] for r in seen if r and r["expected"]), [])
        due = words.sequence(list(map(words.expectation, expected)))
        if catalogue.is_fatal(case):
            due += "; the machine resets"
        lines.append(f"| {case} | {due} | " + " | ".join(map(_cell, seen)) + " |")
    return "\n".join(lines) + "\n"


def _cell(result: dict | None) -> str:
    if result is None:
        return "not run"
    if not result["reason"]:
        return result["verdict"]
    return f"{result['verdict']}: {result['reason']}".replace("|", "\\|")
