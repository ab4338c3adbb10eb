"""What a rule is."""

from __future__ import annotations

from dataclasses import dataclass

SYSV = "System V ABI, AMD64 supplement, "


@dataclass(frozen=True)
class Rule:
    """What `stublint --rules` prints."""

    name: str
    severity: str
    duty: str
    symptom: str
    fix: str
    manual: str
