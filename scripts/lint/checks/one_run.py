"""The contract, checked on one run of one stub."""

from __future__ import annotations

from lint.checks.call import CallChecks
from lint.checks.context import Context
from lint.checks.end import EndChecks
from lint.checks.finding import Finding
from lint.checks.state import StateChecks
from lint.checks.stores import StoreChecks
from lint.engine.trace import Trace


def check(context: Context, trace: Trace) -> list[Finding]:
    """Return what is wrong with @trace."""
    return [
        finding
        for kind in (CallChecks, StoreChecks, StateChecks, EndChecks)
        for finding in kind(context, trace).check()
    ]
