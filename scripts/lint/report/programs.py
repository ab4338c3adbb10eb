"""The report for programs: JSON, and SARIF 2.1.0 for code-scanning services."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

from lint.checks.finding import Group
from lint.checks.rules import RULES
from lint.report.people import Summary
from lint.report.painter import Painter
from version import version

LEVELS = {"ERROR": "error", "ABI": "error", "LATENT": "warning", "INFO": "note"}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_json(summary: Summary, groups: list[Group], painter: Painter) -> str:
    """Return the report as JSON."""
    return json.dumps(
        {
            "version": version(),
            "input": summary.name,
            "vectors": [entry.vector for entry in summary.entries if entry.known],
            "runs": summary.runs,
            "seconds": round(summary.seconds, 2),
            "coverage": _coverage(summary, painter),
            "findings": [_finding(group, painter) for group in groups],
        },
        indent=2,
    )


def _coverage(summary: Summary, painter: Painter) -> dict[str, object]:
    coverage = summary.coverage
    return {
        "complete": coverage.complete,
        "instructions": {"ran": coverage.ran, "of": coverage.total},
        "unlinted": [asdict(function) for function in coverage.unlinted],
        "own_frames": list(coverage.own_frames),
        "unknown": coverage.unknown,
        "assumed": coverage.assumed,
        "external": coverage.external,
        "never_ran": [
            {"at": painter.place(piece.address), "instructions": piece.count,
             "behind": asdict(piece.behind) if piece.behind else None}
            for piece in coverage.unrun
        ],
        "one_way": [
            {"at": painter.place(branch.address), "text": branch.text, "taken": branch.taken,
             "after": branch.after}
            for branch in coverage.one_way
        ],
    }  # fmt: skip


def _finding(group: Group, painter: Painter) -> dict[str, object]:
    rule = RULES[group.rule]
    return {
        "rule": group.rule,
        "severity": group.severity,
        "vectors": group.vectors,
        "seen": group.seen,
        "also": group.also,
        "leads_to": group.leads_to,
        "when": group.when,
        "due": group.due,
        "at": [{"address": f"{pc:#x}", "place": painter.place(pc)} for pc in group.where],
        "code": painter.code(group.first),
        "stack": painter.stack(group.first),
        "fix": group.fix,
        "manual": rule.manual,
        "allowed": group.reason,
    }


def as_sarif(summary: Summary, groups: list[Group], painter: Painter) -> str:
    """Return the report as SARIF."""
    driver = {
        "name": "stublint",
        "version": version(),
        "rules": [
            {
                "id": rule.name,
                "shortDescription": {"text": rule.duty},
                "fullDescription": {"text": f"{rule.duty} {rule.symptom}"},
                "help": {"text": f"{rule.fix}\n{rule.manual}"},
                "defaultConfiguration": {"level": LEVELS[rule.severity]},
            }
            for rule in RULES.values()
        ],
    }
    results = [_result(summary, group, painter) for group in groups]
    properties = {"coverage": _coverage(summary, painter)}
    run = {"tool": {"driver": driver}, "results": results, "properties": properties}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(summary: Summary, group: Group, painter: Painter) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": group.rule,
        "level": LEVELS[group.severity],
        "message": {"text": f"{group.title()}: {group.seen}. {group.fix}"},
        "locations": [_location(summary, painter, group.first.pc)],
        "partialFingerprints": {"stublint/v1": f"{group.rule}:{group.seen}"},
    }
    if group.reason is not None:
        result["suppressions"] = [{"kind": "external", "justification": group.reason}]
    return result


def _location(summary: Summary, painter: Painter, pc: int | None) -> dict[str, object]:
    """Return the source line if DWARF knows it, else the file that was linted."""
    place = painter.place(pc) if pc is not None else ""
    match = re.search(r"\(([^():]+):(\d+)\)$", place)
    path, line = (match[1], int(match[2])) if match else (summary.name, 1)
    location: dict[str, object] = {
        "physicalLocation": {
            "artifactLocation": {"uri": path},
            "region": {"startLine": max(line, 1)},
        }
    }
    if pc is not None:
        location["logicalLocations"] = [{"name": place.split(" (")[0], "kind": "function"}]
    return location
