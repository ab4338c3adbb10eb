"""What `make bench` makes of its rounds, whatever the clock and the machine do, and that its bare
minimum is one. The measuring itself is left to it."""

from __future__ import annotations

import platform
import random
from pathlib import Path

import pytest

from conftest import BUILD
from paths import figures, handlers, machine
from paths.handlers import KINDS, InterruptPath
from paths.program import Measured, compile_bench, link
from paths.rounds import Round, Rounds, quartiles

FLOOR = 140.0
COSTS = {"floor": 0.0, "gcc": 10.0, "bare": 11.0, "barestub": 12.0, "linux": 14.0}
PATHS = [InterruptPath(key, key, "ours") for key in COSTS if key != "floor"]
TICKS_PER_CYCLE = 0.65
STEP = 26  # ticks by which the clock moves at once
INTERRUPTS = 200
BARE_INSTRUCTIONS = {"none": 37, "code": 36}  # 30 pushes and pops, and seven or six


def one_round(disturbed: float = 1.0) -> Round:
    """A round in which everything took @disturbed times as long as it should."""
    return {
        f"{path} {kind}": disturbed * (FLOOR + cost)
        for path, cost in COSTS.items()
        for kind in KINDS
    }


def on_a_stepping_clock(one: Round, dice: random.Random) -> Round:
    """@one as a clock shows it that moves in steps: a loop begins anywhere in a step."""
    seen = {}
    for name, cycles in one.items():
        start = dice.uniform(0, STEP)
        end = start + cycles * TICKS_PER_CYCLE * INTERRUPTS
        seen[name] = (end // STEP - start // STEP) * STEP / INTERRUPTS / TICKS_PER_CYCLE
    return seen


def report(rounds: Rounds) -> str:
    """What a person is shown of @rounds."""
    results = {
        path.key: {
            kind: {
                "cycles": quartiles(rounds.costs(path.key, kind)),
                "ratios": {name: rounds.ratio(path.key, name, kind) for name in figures.REFERENCES},
                "instructions": 40,
                "bytes_of_its_own": 16,
                "bytes_shared": 0,
                "registers_saved": "15",
            }
            for kind in KINDS
        }
        for path in PATHS
    }
    remark = figures.quiet_remark(rounds.quiet_share())
    return "\n".join([figures.table(results, PATHS), figures.verdicts(results), *remark])


def test_a_round_that_measured_nothing_is_no_divisor() -> None:
    nothing = dict.fromkeys(one_round(), FLOOR)
    orders = [[nothing, *[one_round() for _ in range(9)]] for _ in range(8)]
    ratio = Rounds(orders).ratio("barestub", "gcc", "none")
    assert (ratio.low, ratio.median, ratio.high) == pytest.approx((1.2, 1.2, 1.2))


def test_link_orders_that_measured_nothing_are_no_divisors() -> None:
    nothing = dict.fromkeys(one_round(), FLOOR)
    ratio = Rounds([[nothing]] * 3 + [[one_round()]] * 5).ratio("barestub", "gcc", "code")
    assert ratio.median == pytest.approx(1.2)


def test_a_reference_that_measured_nothing_gives_no_ratio() -> None:
    rounds = Rounds([[dict.fromkeys(one_round(), FLOOR)] * 4] * 4)
    assert rounds.ratio("barestub", "gcc", "none") is None
    text = report(rounds)
    assert "  barestub                     0.0 (  0.0-  0.0)       -       -" in text
    assert "Barestub" not in text


def test_a_clock_that_moves_in_steps_moves_no_result() -> None:
    dice = random.Random(1)
    rounds = Rounds([[on_a_stepping_clock(one_round(), dice) for _ in range(100)] for _ in range(8)])
    for path in PATHS:
        for kind in KINDS:
            cost = quartiles(rounds.costs(path.key, kind)).median
            assert cost == pytest.approx(COSTS[path.key], abs=STEP / INTERRUPTS / TICKS_PER_CYCLE)
    assert rounds.quiet_share() == 1
    assert "Barestub without an error code is dearer than GCC's: 1.2" in report(rounds)


@pytest.mark.parametrize("quiet", [0, 1, 4])
def test_a_machine_that_is_not_quiet_is_told_and_measured(quiet: int) -> None:
    dice = random.Random(quiet)
    disturbed = [one_round(dice.uniform(1.1, 3)) for _ in range(20 - quiet)]
    rounds = Rounds([[*disturbed, *[one_round()] * quiet] for _ in range(8)])
    text = report(rounds)
    assert "The machine was not quiet" in text
    assert rounds.ratio("barestub", "gcc", "none").median == pytest.approx(1.2)


def test_half_the_rounds_may_be_disturbed() -> None:
    rounds = Rounds([[one_round(2.5), one_round()] * 10] * 8)
    assert rounds.floor() == FLOOR
    assert "quiet" not in report(rounds)


def test_a_single_round_is_reported() -> None:
    assert "1.20 (1.20-1.20, 95 %)" in report(Rounds([[one_round()]]))


@pytest.mark.parametrize(
    "hypervisor, governor, words",
    [
        (None, "performance", "no hypervisor; frequency governor: performance"),
        ("KVMKVMKVM", None, "under the hypervisor KVMKVMKVM; frequency governor: not told"),
        ("", "ondemand", "under the hypervisor without a name; frequency governor: ondemand"),
    ],
)
def test_the_machine_is_named(
    tmp_path: Path, hypervisor: str | None, governor: str | None, words: str
) -> None:
    cpu = "cpu family\t: 25\nmodel\t\t: {}\nmodel name\t: AMD EPYC\n\n"
    (tmp_path / "cpuinfo").write_text(cpu.format(17) + cpu.format(18))
    if governor:
        (tmp_path / machine.GOVERNOR).parent.mkdir(parents=True)
        (tmp_path / machine.GOVERNOR).write_text(governor + "\n")
    told = machine.describe(hypervisor, proc=tmp_path, sys=tmp_path)
    assert told == f"AMD EPYC, family 25 model 17, {words}"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the stubs run on x86-64 alone")
def test_the_bare_minimum_is_no_more_than_that(tmp_path: Path) -> None:
    found = handlers.Handlers()
    stubs = [str(BUILD / "asm" / name) for name in ("stubs.asm.o", "entry.asm.o")]
    handlers.build_ours(tmp_path, stubs, found)
    handlers.build_sketches(tmp_path, found)
    compile_bench(tmp_path, found.paths)
    measured = Measured()
    measured.run(link(tmp_path, found.paths, 0), 3, 0)
    assert int(measured.facts["granularity"]) > 0
    assert len(measured.orders[0]) == 3
    for kind, count in BARE_INSTRUCTIONS.items():
        assert measured.instructions[f"bare {kind}"] == count
        assert measured.instructions[f"barestub {kind}"] > count
