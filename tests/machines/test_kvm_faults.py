"""The catalogue by KVM: each entry, ring 0 included, on this machine's own CPU, held against the
architecture and the table's rows for silicon. Nothing logs what a CPU delivers: the kernel's word
is the only one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

import deviations
import measure
from catalogue import entries
from emulator import kvm
from machines import Machines
from measure import Target
from truth import Truth

try:
    kvm.check()
except kvm.NoKvm as reason:
    pytest.skip(f"EMU=kvm: {reason}", allow_module_level=True)


@pytest.fixture(scope="module")
def target(iso: str) -> Target:
    """This machine's CPU."""
    return measure.kvm_target(iso)


@pytest.fixture(scope="module")
def machines(target: Target) -> Iterator[Machines]:
    """A machine at the prompt, if KVM can bring one there."""
    with Machines(target.start) as running:
        try:
            running.at_prompt(kvm.CPU)
        except AssertionError:
            pytest.skip(f"EMU=kvm: the kernel does not start.{kvm.NOT_UP}")
        yield running


@pytest.mark.parametrize("name", entries())
def test_fault(name: str, target: Target, machines: Machines, truth: Truth) -> None:
    with truth.case("kvm", target.name, name) as case:
        result = measure.raise_one(target, machines, name)
        case.expected = result.expected
        if result.verdict == measure.NOT_RUN:
            pytest.skip(result.text)
        rows = deviations.find(deviations.load(), target.machine.emulator, name)
        if result.verdict == measure.UNSAFE:
            case.deviation = f"not run: {result.text}"
            return
        judgement = deviations.judge(result.expected, result.seen, rows, target.machine)
        assert not judgement.wrong, "\n".join([*judgement.wrong, result.answer])
        if judgement.remark:
            warnings.warn(f"{name}: {judgement.remark}", stacklevel=1)
        if judgement.deviation:
            case.deviation = judgement.deviation.reason
        else:
            assert result.verdict == measure.RIGHT, result.text
