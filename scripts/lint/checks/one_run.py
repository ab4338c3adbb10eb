"""The contract, checked on one run of one stub."""

from __future__ import annotations

from lint.check_call import CallChecks
from lint.check_end import EndChecks
from lint.check_store import StoreChecks
from lint.checks import Context
from lint.finding import Finding
from lint.trace import Trace


def check(context: Context, trace: Trace) -> list[Finding]:
    """Return what is wrong with @trace."""
    return [
        finding
        for kind in (CallChecks, StoreChecks, EndChecks)
        for finding in kind(context, trace).check()
    ]
