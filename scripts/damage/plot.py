"""The picture of a campaign: what became of each bit of the frame."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib import pyplot
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from damage.experiments import ENTRIES, OUTCOMES, SLOTS
from damage.iretq import FRAME
from damage.results import Result

matplotlib.use("Agg")

MOMENTS = ("save", "restore", "iretq")
TITLES = ("saved, before C", "before it is restored", "before IRETQ")
COLOURS = ("#d9d9d9", "#1b7837", "#92c5de", "#fdb863", "#c51b7d", "#542788", "#b2182b")
BITS = 64


def draw(found: list[Result], path: Path) -> None:
    """Write the picture of the results @found to @path."""
    number = {outcome: i for i, outcome in enumerate(OUTCOMES)}
    figure, axes = pyplot.subplots(
        len(ENTRIES), len(MOMENTS), figsize=(15, 9), squeeze=False
    )
    for row, entry in zip(axes, ENTRIES, strict=True):
        for axis, moment, title in zip(row, MOMENTS, TITLES, strict=True):
            slots = [slot for slot in SLOTS if moment != "iretq" or slot in FRAME]
            picture = [[float("nan")] * BITS for _ in slots]
            for result in found:
                place = result.place
                if (place.entry, place.moment) == (entry, moment):
                    column = place.offset * 8 + place.bit
                    picture[slots.index(place.target)][column] = number[result.outcome]
            axis.imshow(
                picture, ListedColormap(COLOURS), vmin=-0.5, vmax=len(OUTCOMES) - 0.5,
                aspect="auto", interpolation="none",
            )  # fmt: skip
            axis.set_title(f"{entry}: {title}", fontsize=10)
            axis.set_yticks(range(len(slots)), slots, fontsize=8)
            axis.set_xticks(range(0, BITS, 8))
            axis.set_xlabel("bit flipped", fontsize=8)
            axis.invert_xaxis()
    patches = [Patch(color=c, label=o) for c, o in zip(COLOURS, OUTCOMES, strict=True)]
    figure.legend(handles=patches, loc="lower center", ncol=len(OUTCOMES), frameon=False)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
