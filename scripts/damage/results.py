"""What the campaign has found, as CSV: a line an experiment, in any order, from any machine."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from damage.experiments import OUTCOMES, Place

FIELDS = ("entry", "moment", "target", "offset", "bit", "outcome", "detail")


@dataclass(frozen=True)
class Result:
    """The outcome of flipping the bit at a place."""

    place: Place
    outcome: str
    detail: str


def read(path: Path) -> list[Result]:
    """Return the results in the file @path; none, if there is no such file. A last line that was
    cut off by somebody's Ctrl-C does not count."""
    if not path.exists():
        return []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1].splitlines()
    return [
        Result(
            Place(row["entry"], row["moment"], row["target"], int(row["offset"]), int(row["bit"])),
            row["outcome"],
            row["detail"],
        )
        for row in csv.DictReader(whole)
    ]


class Writer:
    """Adds results to a file, each at once: whoever ends the campaign loses none."""

    def __init__(self, path: Path) -> None:
        done = read(path)
        self._file = path.open("w", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow(FIELDS)
        for result in done:
            self.add(result)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, result: Result) -> None:
        detail = " ".join(result.detail.split())
        self._csv.writerow([*astuple(result.place), result.outcome, detail])
        self._file.flush()


def table(results: Iterable[Result]) -> str:
    """Return how often each outcome came, by moment and target, as text of 80 columns."""
    counts: dict[str, Counter[str]] = {}
    for result in results:
        place = result.place
        kind = f"the frame, {place.moment}" if place.moment != "before" else place.target
        counts.setdefault(kind, Counter())[result.outcome] += 1
    lines = [f"{'':18}" + "".join(f"{name:>{len(name) + 2}}" for name in OUTCOMES)]
    for kind, counted in [*sorted(counts.items()), ("all", sum(counts.values(), Counter()))]:
        numbers = "".join(f"{counted[name]:{len(name) + 2}}" for name in OUTCOMES)
        lines.append(f"{kind:18}{numbers}")
    return "\n".join(lines)
