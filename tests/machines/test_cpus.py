"""The catalogue on CPUs that lack what the first model has. The kernel then takes other ways, such
as past CLAC; an entry is skipped there for what it needs and the CPU has not, all else is the same."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import catalogue
import ktap
from calling import Caller
from conftest import NO_SCREEN, ROOT, Start
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

FEATURES = ROOT / "kernel" / "cpu" / "features.def"

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
    "X2APIC": "x2apic",
    "XSAVE": "xsave",
    "AVX": "avx",
    "SVM": "svm",
}

# Why TCG deviates, and does not on a CPU without the feature: as tests/emulators.toml says it.
DEVIATES_BY = {"SMAP": "TCG reads the stack of a far return as ring 0 does"}

# SDM vol. 3, 2.5: PE, MP, ET, NE, WP, AM, PG.
CR0 = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 18 | 1 << 31

# Of CR4, what the kernel sets on any CPU, and what by a feature.
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


def agrees(result: Result, with_all: Result, lacking: set[str]) -> bool:
    """Whether @result of an entry is what a CPU has to give that lacks these features, where one
    that has them all gives @with_all."""
    needed = catalogue.needs(with_all.name)
    if needed in lacking:
        due = replace(with_all, passed=True, directive=f"SKIP this CPU has no {needed}")
        return result == due
    for feature, why in DEVIATES_BY.items():
        if feature in lacking and why in with_all.directive:
            # Right, or as another row of the table says.
            return not result.failed and why not in result.directive
    return result == with_all


@pytest.fixture(scope="module")
def with_all(at_prompt: Start) -> list[Result]:
    """What `check` says on the CPU that has all that TCG can do, which test_faults.py judges."""
    with at_prompt() as machine:
        return ktap.parse(machine.ask("check"))


@pytest.mark.parametrize("model", MODELS)
def test_check(model: str, iso: str, grub: str, with_all: list[Result]) -> None:
    with Qemu(iso, state=grub, options=("-cpu", model, *NO_SCREEN)) as machine:
        machine.wait_for(PROMPT)
        has = features(machine)
        registers = machine.registers()
        assert (registers["CR0"], registers["CR4"]) == (CR0, cr4(has))
        results = ktap.parse(machine.ask("check"))
    assert len(results) == len(with_all)
    lacking = PROPERTIES.keys() - has
    assert [pair for pair in zip(results, with_all) if not agrees(*pair, lacking)] == []


# Without what XCR0 must allow, or without what allows it: SDM vol. 1, 14.3. Of the first one leaf 7,
# with the features of CR4, is the last that CPUID knows.
@pytest.mark.parametrize("model", ["max,-xsave,level=7", "max,-avx"])
def test_avx_needs_both(model: str, iso: str, grub: str) -> None:
    with Qemu(iso, state=grub, options=(*NO_SCREEN, "-cpu", model)) as machine:
        machine.wait_for(PROMPT)
        has = features(machine)
        assert len(has & {"AVX", "XSAVE"}) == 1
        assert machine.registers()["CR4"] == cr4(has)
        for entry in catalogue.found():
            if "needs AVX" in entry.options:
                skipped = f"result: name={entry.name} skip this CPU has no AVX\n"
                assert skipped in machine.ask(f"raise {entry.name}")


def test_the_control_registers(machine: Qemu) -> None:
    """On the CPU that has all that TCG can do."""
    registers = machine.registers()
    assert (registers["CR0"], registers["CR4"]) == (CR0, cr4(features(machine)))


def test_each_feature_has_its_name(call: Caller) -> None:
    names = re.findall(r"^FEATURE\((\w+),", FEATURES.read_text(), re.MULTILINE)
    for number, name in enumerate([*names, "reserved bit in a page-table entry"], 1):
        text = call.stub.read(call("feature_name", number), len(name) + 1)
        assert text.decode() == name + "\0"
