"""The catalogue on CPUs that lack what the first model has. The kernel then takes other ways, such as
past CLAC; an entry is skipped there for what it needs and the CPU has not, and all else is the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

import catalogue
import ktap
from conftest import Start
from guest import PROMPT
from ktap import Result
from qemu import Qemu

# Each lacks other features than the ones before it: why it is here.
MODELS = {
    "max,-smap": "a NOP in the place of CLAC, and nothing else is different",
    "EPYC": "SMAP and SVM without UMIP and protection keys",
    "Skylake-Client": "SMAP on an Intel CPU, without SVM; those with SVM are AMD's",
    "qemu64": "SVM, and nothing else of what came after the first x86-64 CPUs",
    "Nehalem": "not even SVM",
    "Conroe": "no CMPXCHG16B either: of all models it has the least",
}

# What QEMU calls the features of kernel/cpu/features.def.
PROPERTIES = {
    "MCA": "mca",
    "SMEP": "smep",
    "SMAP": "smap",
    "UMIP": "umip",
    "PKU": "pku",
    "CET_SS": "shstk",
    "CET_IBT": "ibt",
    "CX16": "cx16",
    "XSAVE": "xsave",
    "AVX": "avx",
    "SVM": "svm",
}

# Where TCG deviates, and does not on a CPU without the feature: tests/emulators.toml has the reason.
DEVIATES_BY = {"SMAP": {"iret-user-cs-null", "iret-user-cs-kernel", "gp-user-lretq"}}

# SDM vol. 3, 2.5: of CR4, what the kernel sets on any CPU, and what by a feature.
CR4_ALWAYS = 1 << 3 | 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10  # DE, PAE, MCE, OSFXSR, OSXMMEXCPT
CR4_BITS = {"UMIP": 11, "XSAVE": 18, "SMEP": 20, "SMAP": 21, "PKU": 22, "CET_IBT": 23}


def features(machine: Qemu) -> set[str]:
    """Ask QEMU which features its CPU has."""
    cpu = machine.qmp("query-cpus-fast")[0]["qom-path"]
    known = {entry["name"] for entry in machine.qmp("qom-list", path=cpu)}
    return {
        name
        for name, word in PROPERTIES.items()
        if word in known and machine.qmp("qom-get", path=cpu, property=word)
    }


def cr4(has: set[str]) -> int:
    """CR4 as the kernel must have it on a CPU with these features."""
    return CR4_ALWAYS | sum(1 << bit for name, bit in CR4_BITS.items() if name in has)


def without(lacking: set[str], result: Result) -> Result:
    """@result of an entry, on a CPU that has not got the features @lacking."""
    needed = catalogue.needs(result.name)
    if needed in lacking:
        return replace(result, passed=True, directive=f"SKIP this CPU has no {needed}")
    if any(result.name in DEVIATES_BY.get(feature, ()) for feature in lacking):
        return replace(result, passed=True, directive="")
    return result


@pytest.fixture(scope="module")
def with_all(at_prompt: Start) -> list[Result]:
    """What `check` says on the CPU that has all that TCG can do, which test_faults.py judges."""
    with at_prompt() as machine:
        return ktap.parse(machine.ask("check"))


@pytest.mark.parametrize("model", MODELS)
def test_check(model: str, iso: str, with_all: list[Result]) -> None:
    with Qemu(iso, options=("-cpu", model)) as machine:
        machine.wait_for(PROMPT)
        has = features(machine)
        assert machine.registers()["CR4"] == cr4(has)
        results = ktap.parse(machine.ask("check"))
    expected = [without(PROPERTIES.keys() - has, result) for result in with_all]
    assert len(results) == len(expected)
    assert [pair for pair in zip(results, expected) if pair[0] != pair[1]] == []
