"""The bench's figures as text."""

from __future__ import annotations

from paths.handlers import KIND_TITLES, InterruptPath
from paths.rounds import Spread

REFERENCES = {"gcc": "GCC's", "bare": "the bare minimum"}
TELLING = 0.01  # differences below this share are not told from none
ENOUGH_QUIET = 0.5  # of the rounds that count

SCOPE = """
Core cycles above the floor of {floor:.0f}: pushing what the CPU pushes, and a bare iretq in ring 3.
This measures the path, stub to iretq, and the C call in it. It does not measure how the CPU
delivers an interrupt, nor iretq in ring 0.
Medians and quartiles over {orders} link orders; their spread is what the place of code does. Each
loop is long enough for this clock, which can be read to {granularity} ticks."""
BARE = """\
The bare minimum: pushes, jump, call, pops, for as many registers as ours; what xv6 does."""
NOT_QUIET = """\
The machine was not quiet: only {share:.0%} of the rounds that count were. Take all this for a rough
figure, and measure again."""


def scope(floor: float, orders: int, granularity: int) -> str:
    """What is measured, and what is not."""
    return SCOPE.format(floor=floor, orders=orders, granularity=granularity)


def quiet_remark(share: float) -> list[str]:
    """A warning, if too few rounds were quiet."""
    return [NOT_QUIET.format(share=share)] if share < ENOUGH_QUIET else []


def verdict(ratio: Spread) -> str:
    """In words what a ratio to the reference says, and no more than that."""
    if ratio.low <= 1 <= ratio.high or abs(ratio.median - 1) < TELLING:
        return "not to be told from"
    return "cheaper than" if ratio.median < 1 else "dearer than"


def table(results: dict[str, dict], paths: list[InterruptPath]) -> str:
    """The figures as text: one block for each kind of interrupt."""
    lines = []
    for kind, title in KIND_TITLES.items():
        lines += [
            "",
            f"{title + ':':<29}cycles (quartiles)  to GCC to bare  instr.  bytes      registers",
        ]
        for path in paths:
            r = results[path.key][kind]
            c = r["cycles"]
            ratios = "".join(ratio_column(r["ratios"].get(name)) for name in REFERENCES)
            shared = f" + {r['bytes_shared']}" if r["bytes_shared"] else ""
            lines.append(
                f"  {path.name:<26}{c.median:6.1f} ({c.low:5.1f}-{c.high:5.1f})"
                f"{ratios}{r['instructions']:8}  "
                f"{str(r['bytes_of_its_own']) + shared:<10} {r['registers_saved']}"
            )
    return "\n".join(lines)


def ratio_column(ratio: Spread | None) -> str:
    """A ratio in the table, or a dash: its reference could not be measured."""
    return f"{ratio.median:8.2f}" if ratio else f"{'-':>8}"


def verdicts(results: dict[str, dict]) -> str:
    """What can be said of ours beside each reference, in a line for each kind."""
    lines = []
    for kind, title in KIND_TITLES.items():
        for reference, name in REFERENCES.items():
            if ratio := results["barestub"][kind]["ratios"].get(reference):
                lines.append(
                    f"Barestub {title} is {verdict(ratio)} {name}: {ratio.median:.2f} "
                    f"({ratio.low:.2f}-{ratio.high:.2f}, 95 %)."
                )
    return "\n".join(lines)


def exact_counts(counts: dict[str, dict[str, int]]) -> str:
    """The kernel's own instructions in the emulator, where no noise is."""
    paths = [f"{part['stub'] + part['entry']} {kind}" for kind, part in counts.items()]
    dispatch = max(part["dispatch"] for part in counts.values())
    return (
        f"Exact, in the emulator: from delivery to resumption the kernel's path executes"
        f" {paths[0]},\n{paths[1]}, {paths[2]}; trap_dispatch() in C executes {dispatch} more."
    )
