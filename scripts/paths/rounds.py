"""What the rounds of the bench say: medians, and the intervals in which they lie.

Where code lies moves a path by more cycles than most paths differ by. So each link order gives one
median, and it is over link orders that results are taken. Nothing is divided but such results, and
only by one that is not lost in the clock's steps.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass

Round = dict[str, float]  # core cycles, by "path kind"

COUNTED = 0.5  # of the rounds of a link order, the quietest
QUIET = 1.03  # the level of a quiet round, against the best
BEST_QUANTILE = 0.02
LEAST = 1.0  # cycles: no path takes less, so whoever seems to has not been measured
RESAMPLES = 400
OUTSIDE = 0.025  # on either side of an interval of 95 %


@dataclass
class Spread:
    """A median, and the interval around it."""

    median: float
    low: float
    high: float


def level(one: Round) -> float:
    """How disturbed a round was: what disturbs the machine raises most paths in it."""
    return statistics.median(one.values())


def quartiles(values: list[float]) -> Spread:
    """The median of @values and their quartiles."""
    low, median, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return Spread(median, low, high)


class Rounds:
    """The rounds of all link orders; those that count are the quietest of each."""

    def __init__(self, orders: list[list[Round]]) -> None:
        """@orders holds the rounds of each link order: at least one of them, and no empty one."""
        self.orders = [sorted(order, key=level)[: self._count(order)] for order in orders]

    @staticmethod
    def _count(order: list[Round]) -> int:
        return max(1, int(len(order) * COUNTED))

    def quiet_share(self) -> float:
        """The share of the rounds counted in which nothing disturbed the machine."""
        levels = sorted(level(one) for order in self.orders for one in order)
        best = levels[int(len(levels) * BEST_QUANTILE)]
        return sum(each <= best * QUIET for each in levels) / len(levels)

    def floor(self) -> float:
        """The core cycles of the cheapest path there is."""
        return statistics.median(
            statistics.median(one["floor none"] for one in order) for order in self.orders
        )

    def costs(self, path: str, kind: str) -> list[float]:
        """The cycles of @path above the floor, in each link order."""
        return [
            statistics.median(one[f"{path} {kind}"] - one[f"floor {kind}"] for one in order)
            for order in self.orders
        ]

    def ratio(self, path: str, reference: str, kind: str) -> Spread | None:
        """The cost of @path over that of the @reference path, and the 95 % interval that resampled
        link orders give. None if the reference was not measured."""
        pairs = list(zip(self.costs(path, kind), self.costs(reference, kind)))
        median = ratio_of_medians(pairs)
        if median is None:
            return None
        dice = random.Random(0)
        resampled = [ratio_of_medians(dice.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES)]
        ratios = sorted(ratio for ratio in resampled if ratio is not None)
        outside = int(len(ratios) * OUTSIDE)
        inside = ratios[outside : len(ratios) - outside] or [median]
        return Spread(median, inside[0], inside[-1])


def ratio_of_medians(pairs: list[tuple[float, float]]) -> float | None:
    """The median of all first over that of all second, if that is a cost at all."""
    here, there = (statistics.median(column) for column in zip(*pairs))
    return here / there if there >= LEAST else None
