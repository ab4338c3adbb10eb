"""A baseline: the findings of an earlier day, so that only what is new counts.

It knows a finding by its rule, its vectors and what was seen, without the addresses in it: those
change with every build.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from lint.checks.finding import Finding
from lint.errors import CannotRun

ADDRESS = re.compile(r"0x[0-9a-f]+")


@dataclass
class Known:
    """A finding that was there before. It stands where an Allowance of an allow-file may."""

    rule: str
    vectors: frozenset[int | None]
    seen: str
    reason: str
    names: str = ""  # it allows no function to go without being linted

    def covers(self, finding: Finding) -> bool:
        """Whether @finding is this one."""
        return (
            finding.rule == self.rule
            and finding.vector in self.vectors
            and _without_addresses(finding.seen) == self.seen
        )


def load(path: str) -> list[Known]:
    """Return the findings in the file at @path."""
    try:
        lines = json.loads(Path(path).read_text())["findings"]
        return [
            Known(line["rule"], frozenset(line["vectors"]), line["seen"], f"in {path}")
            for line in lines
        ]
    except FileNotFoundError:
        raise CannotRun(f"{path}: there is no such file; --write-baseline makes it") from None
    except OSError as error:
        raise CannotRun(f"{path}: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise CannotRun(f"{path}:{error.lineno}: this is no baseline: {error.msg}") from None
    except (UnicodeDecodeError, KeyError, TypeError):
        raise CannotRun(f"{path}: this is no baseline; --write-baseline makes one") from None


def write(path: str, findings: list[Finding]) -> None:
    """Keep @findings in the file at @path."""
    vectors: dict[tuple[str, str], set[int | None]] = defaultdict(set)
    for finding in findings:
        vectors[finding.rule, _without_addresses(finding.seen)].add(finding.vector)
    lines = [
        {"rule": rule, "seen": seen, "vectors": sorted(which, key=lambda v: -1 if v is None else v)}
        for (rule, seen), which in sorted(vectors.items())
    ]
    # A line for each, so that version control shows what came and what went.
    body = ",\n".join(f"  {json.dumps(line)}" for line in lines)
    try:
        Path(path).write_text(f'{{"findings": [\n{body}\n]}}\n')
    except OSError as error:
        raise CannotRun(f"{path}: {error.strerror}") from None


def _without_addresses(text: str) -> str:
    return ADDRESS.sub("0x*", text)
