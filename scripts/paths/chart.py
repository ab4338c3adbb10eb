"""The bench's figures as a bar chart."""

from __future__ import annotations

from pathlib import Path

from paths.handlers import KIND_TITLES, KINDS, InterruptPath
LEGEND = {
    "ours": ("#1b6ca8", "this kernel"),
    "bare": ("#3f8f5b", "pushes, jump, call, pops"),
    "compiler": ("#d08c3f", "compilers' interrupt functions"),
    "sketch": ("#9aa5ae", "sketches of other kernels"),
}


def draw(
    results: dict[str, dict], paths: list[InterruptPath], floor: float, build: Path
) -> None:
    """Write the costs of @paths as BUILD/bench.svg and bench.png."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    matplotlib.rcParams["svg.hashsalt"] = "barestub"
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 0.42 * len(paths) + 1.9), sharey=True)
    order = paths[::-1]
    for axis, kind in zip(axes, KINDS):
        row = [results[path.key][kind]["cycles"] for path in order]
        axis.barh(
            [path.name for path in order],
            [c.median for c in row],
            xerr=[[c.median - c.low for c in row], [c.high - c.median for c in row]],
            color=[LEGEND[path.family][0] for path in order],
            error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "#333333"},
        )
        for number, c in enumerate(row):
            axis.text(c.high, number, f"  {c.median:.1f}", va="center", fontsize=9)
        axis.set_title(f"An interrupt {KIND_TITLES[kind]}", fontsize=11)
        axis.set_xlim(min(0, *(c.low for c in row)), max(1, *(c.high for c in row)) * 1.14)
        axis.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(
        f"core cycles above the floor (the frame and a bare iretq: {floor:.0f}); median and "
        "quartiles over link orders",
        fontsize=10,
    )
    patches = [Patch(color=colour, label=text) for colour, text in LEGEND.values()]
    figure.legend(handles=patches, loc="upper center", ncols=4, frameon=False, fontsize=10)
    figure.tight_layout(rect=(0, 0, 1, 0.94))
    figure.savefig(build / "bench.svg", metadata={"Date": None})
    figure.savefig(build / "bench.png", dpi=130)
    pyplot.close(figure)
