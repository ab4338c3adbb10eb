"""A finding, and a group of them that is told as one."""

from __future__ import annotations

from dataclasses import dataclass, field

from lint.architecture import ENTRIES, ranges
from lint.checks.rules import RULES
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
    fix: str = ""  # for the code at hand; that of the rule if empty
    leads_to: set[str] = field(default_factory=set)  # rules that are broken in consequence

    def fold(self, consequence: Finding) -> None:
        """Note that @consequence comes of this."""
        self.severity = min(self.severity, consequence.severity, key=SEVERITIES.index)
        self.leads_to |= {consequence.rule, *consequence.leads_to}


@dataclass
class Group:
    """The same mistake in several vectors."""

    rule: str
    severity: str
    seen: str
    due: str
    findings: list[Finding] = field(default_factory=list)
    reason: str | None = None  # why it is allowed, if it is
    also: list[str] = field(default_factory=list)  # seen in other words

    def take(self, other: Group) -> None:
        """Add @other, which has the same cause."""
        self.findings += other.findings
        if other.seen != self.seen:
            self.also.append(other.seen)

    @property
    def leads_to(self) -> list[str]:
        """The rules that are broken in consequence."""
        return sorted(set().union(*(finding.leads_to for finding in self.findings)))

    @property
    def fix(self) -> str:
        """What to do."""
        return self.first.fix or RULES[self.rule].fix

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
        if len(rings) == 1 and not ENTRIES.keys() & set(self.vectors):
            parts.append(f"from ring {rings.pop()}")
        if all(variant.flags for variant in variants):
            parts.append("with DF and AC set")
        return "only " + " and ".join(parts) if parts else ""

    def title(self) -> str:
        """Return the vectors in words."""
        vectors = self.vectors
        if not vectors:
            return self.first.name or "the kernel"
        if ENTRIES.keys() >= set(vectors):
            return ranges(vectors)
        noun = "vector" if len(vectors) == 1 else f"{len(vectors)} vectors:"
        return f"{noun} {ranges(vectors)}"

