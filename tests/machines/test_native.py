"""Real silicon: the catalogue's ring 3 entries in a Linux process on this CPU, by the trap number,
error code, CR2, RIP and RFLAGS of the signals' contexts."""

from __future__ import annotations

import platform
import warnings

import pytest

import native
from catalogue import entries
from conftest import BUILD
from trapline import Raised
from truth import Case, Truth

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="this is no x86-64 CPU")


@pytest.fixture(scope="session")
def raised() -> dict[str, Raised]:
    """What the program says, by the names of the entries."""
    return native.raise_all(BUILD)


@pytest.fixture(scope="session")
def reasons() -> dict[str, str]:
    """Why an entry cannot be given here, for those that cannot."""
    return native.reasons()


@pytest.fixture(scope="session")
def machine() -> str:
    """This CPU and its Linux, in words."""
    cpu = native.cpu()
    family = f"family {cpu['cpu family']} model {cpu['model']}"
    return f"{cpu['model name']} {family}, Linux {platform.release()}"


@pytest.mark.parametrize("name", entries())
def test_fault(
    name: str, raised: dict[str, Raised], reasons: dict[str, str], machine: str, truth: Truth
) -> None:
    with truth.case("silicon", machine, name) as case:
        if name not in raised:
            pytest.skip("a process has no ring 0")
        case.expected = raised[name].expected
        judge(name, raised[name], reasons.get(name), case)


def judge(name: str, seen: Raised, reason: str | None, case: Case) -> None:
    if seen.result.startswith("skip"):
        pytest.skip(seen.result.removeprefix("skip "))
    judgement = native.judge(name, seen)
    if reason:
        assert judgement.wrong, f"{name} can be given here: remove it from {native.REASONS.name}"
        pytest.skip(reason)
    assert not judgement.wrong, "\n".join([*judgement.wrong, *map(str, seen.traps)])
    if judgement.remark:
        warnings.warn(f"{name}: {judgement.remark}", stacklevel=1)
    if judgement.deviation:
        case.deviation = judgement.deviation.reason
