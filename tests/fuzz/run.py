#!/usr/bin/python3
"""Run the fuzzers of what the kernel reads, two side by side: `run.py BUILD SECONDS`.

What they find is kept in BUILD/fuzz/found/; the inputs that reach new code in BUILD/fuzz/corpus/,
from which the next run goes on.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import seeds  # noqa: E402
from options import number  # noqa: E402

SIDE_BY_SIDE = 2
LENGTH_MAX = 8192
SECONDS_MAX = 7 * 24 * 3600
INPUT_TIMEOUT = 10  # seconds: an input that takes longer is a finding

# Whose coverage is told.
SOURCES = {
    "bootinfo": ["boot/bootinfo.c"],
    "acpi": ["kernel/devices/acpi.c", "kernel/devices/madt.c", "kernel/devices/sleep.c"],
    "symbols": ["kernel/report/symbols.c"],
    "screen": [
        "kernel/console/screen.c",
        "kernel/console/framebuffer.c",
        "kernel/lib/ecma48.c",
    ],
}


@dataclass
class Outcome:
    """What one fuzzer did."""

    fuzzer: str
    executions: int
    found: bool
    log: str


def tool(name: str, compiler: str) -> str | None:
    """Return the tool of LLVM called @name that belongs to @compiler's version."""
    command = [compiler, f"--print-prog-name={name}"]
    path = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return shutil.which(path)


def coverage(fuzzer: str, build: Path) -> dict[str, str]:
    """Return what part of the lines of each source @fuzzer has executed, if LLVM's tools are here."""
    program, profile = build / "fuzz" / fuzzer, _profile(fuzzer, build)
    profdata, cov = tool("llvm-profdata", "clang"), tool("llvm-cov", "clang")
    if not (profdata and cov and profile.exists()):
        return {}
    merged = profile.with_suffix(".profdata")
    subprocess.run([profdata, "merge", "-o", str(merged), str(profile)], check=True)
    command = [cov, "export", "-summary-only", str(program), f"-instr-profile={merged}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {}
    for file in json.loads(text)["data"][0]["files"]:
        for source in filter(file["filename"].endswith, SOURCES[fuzzer]):
            found[source] = f"{file['summary']['lines']['percent']:.1f} %"
    return found


def _profile(fuzzer: str, build: Path) -> Path:
    return build / "fuzz" / f"{fuzzer}.profraw"


def fuzz(fuzzer: str, build: Path, seconds: int) -> Outcome:
    """Run @fuzzer on random inputs."""
    base = build.resolve() / "fuzz"
    seeds.write(base / "seeds")
    for directory in (base / "corpus" / fuzzer, base / "found"):
        directory.mkdir(parents=True, exist_ok=True)
    command = [str(base / fuzzer), f"-max_total_time={seconds}", f"-max_len={LENGTH_MAX}"]
    command += [f"-timeout={INPUT_TIMEOUT}", f"-artifact_prefix={base}/found/{fuzzer}-"]
    command += [str(base / "corpus" / fuzzer), str(base / "seeds" / fuzzer)]
    environment = os.environ | {"LLVM_PROFILE_FILE": str(_profile(fuzzer, base.parent))}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
    counts = [int(count) for count in re.findall(r"^(?:#|Done )(\d+)", done.stderr, re.MULTILINE)]
    executions = max(counts, default=0)
    return Outcome(fuzzer, executions, done.returncode != 0, done.stderr)


def main() -> int:
    build, seconds = Path(sys.argv[1]), number("SECONDS", 1, SECONDS_MAX)(sys.argv[2])
    status = 0
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for outcome in pool.map(lambda name: fuzz(name, build, seconds), seeds.ALL):
            covered = coverage(outcome.fuzzer, build)
            parts = [f"{source} {percent}" for source, percent in covered.items()]
            told = f"; lines covered: {', '.join(parts)}" if parts else ""
            print(f"{outcome.fuzzer}: {outcome.executions} inputs{told}", flush=True)
            if outcome.found:
                print("\n".join(outcome.log.splitlines()[-40:]))
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
