"""The machine that the bench runs on, in words: what may explain its figures."""

from __future__ import annotations

import re
from pathlib import Path

CPU_FIELD = re.compile(r"^(.*?)\s*: (.*)$", re.MULTILINE)
GOVERNOR = "devices/system/cpu/cpu0/cpufreq/scaling_governor"


def describe(hypervisor: str | None, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> str:
    """The CPU, who else has a hand in it, and who sets its clock. @hypervisor is CPUID's name of
    it, which may be empty, or None if there is none."""
    info = dict(CPU_FIELD.findall((proc / "cpuinfo").read_text().partition("\n\n")[0]))
    name = info.get("model name", "unknown CPU").strip()
    cpu = f"{name}, family {info.get('cpu family', '?')} model {info.get('model', '?')}"
    under = "no hypervisor"
    if hypervisor is not None:
        under = f"under the hypervisor {hypervisor or 'without a name'}"
    governor = sys / GOVERNOR
    told = governor.read_text().strip() if governor.exists() else "not told"
    return f"{cpu}, {under}; frequency governor: {told}"
