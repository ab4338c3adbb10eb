"""A finding, and how findings of many vectors become one."""

from __future__ import annotations

from dataclasses import dataclass, field

from lint.architecture import ranges
from lint.engine.trace import Moment, Trace

SEVERITIES = ("ERROR", "ABI", "LATENT", "INFO")


@dataclass
class Finding:
    """One rule broken by one vector."""

    rule: str
    severity: str
    vector: int | None  # None if it is about the kernel as a whole
    seen: str
    due: str
    name: str = ""  # of the stub
    pc: int | None = None
    moment: Moment | None = None  # for the picture of the stack
    trace: Trace | None = None


@dataclass
class Group:
    """The same finding in several vectors."""

    rule: str
    severity: str
    seen: str
    due: str
    findings: list[Finding] = field(default_factory=list)
    reason: str | None = None  # why it is allowed, if it is

    @property
    def first(self) -> Finding:
        return self.findings[0]

    @property
    def vectors(self) -> list[int]:
        return sorted({f.vector for f in self.findings if f.vector is not None})

    @property
    def where(self) -> list[int]:
        """The addresses, each once, in order."""
        return sorted({f.pc for f in self.findings if f.pc is not None})

    @property
    def when(self) -> str:
        """In which variants, if not in all: such as "only from ring 3"."""
        variants = [f.trace.variant for f in self.findings if f.trace]
        if not variants or self.rule == "no-code-frame":
            return ""
        parts = []
        rings = {variant.ring for variant in variants}
        if len(rings) == 1:
            parts.append(f"from ring {rings.pop()}")
        if all(variant.flags for variant in variants):
            parts.append("with DF and AC set")
        return "only " + " and ".join(parts) if parts else ""

    def title(self) -> str:
        """Return the vectors in words."""
        vectors = self.vectors
        if not vectors:
            return "the kernel"
        noun = "vector" if len(vectors) == 1 else f"{len(vectors)} vectors:"
        return f"{noun} {ranges(vectors)}"


def group(findings: list[Finding]) -> list[Group]:
    """Return @findings with the same ones of different vectors put together, the worst first."""
    groups: dict[tuple[str, str, str], Group] = {}
    for finding in findings:
        key = (finding.rule, finding.severity, finding.seen)
        if key not in groups:
            groups[key] = Group(finding.rule, finding.severity, finding.seen, finding.due)
        groups[key].findings.append(finding)
    order = {severity: index for index, severity in enumerate(SEVERITIES)}
    return sorted(
        groups.values(), key=lambda g: (order[g.severity], (g.vectors or [-1])[0], g.rule)
    )
