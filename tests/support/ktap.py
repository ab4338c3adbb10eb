"""Parser of KTAP, the format of the monitor's `check`: a plan, and a line per result."""

from __future__ import annotations

import re
from dataclasses import dataclass

PLAN = re.compile(r"^1\.\.(\d+)")
RESULT = re.compile(r"^(not ok|ok) (\d+)(?: -)?(?: ([^#]*?))?\s*(?:# *(.*))?$")


@dataclass
class Result:
    """One test point."""

    number: int
    name: str
    passed: bool
    directive: str  # "SKIP reason", "TODO reason", or ""

    @property
    def failed(self) -> bool:
        """Whether it is "not ok" and not known to be so."""
        return not self.passed and not self.directive.startswith("TODO")


def parse(text: str) -> list[Result]:
    """Return the results in @text. Raises ValueError if they do not match the plan."""
    plan = None
    results: list[Result] = []
    for line in text.splitlines():
        if match := PLAN.match(line):
            plan = int(match[1])
        elif match := RESULT.match(line):
            results.append(
                Result(int(match[2]), match[3] or "", match[1] == "ok", match[4] or "")
            )
    if plan is None:
        raise ValueError("no plan (1..N)")
    if [result.number for result in results] != list(range(1, plan + 1)):
        raise ValueError(f"the plan is 1..{plan}, but {[r.number for r in results]} came")
    return results
