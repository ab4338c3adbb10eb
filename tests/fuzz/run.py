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

import seeds

SIDE_BY_SIDE = 2
LENGTH_MAX = 8192
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
    coverage: dict[str, str]  # of lines, by source


def tool(name: str, compiler: str) -> str | None:
    """Return the tool of LLVM called @name that belongs to @compiler's version."""
    command = [compiler, f"--print-prog-name={name}"]
    path = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return shutil.which(path)


def coverage(program: Path, profile: Path, sources: list[str]) -> dict[str, str]:
    """Return what part of the lines of @sources was executed, if LLVM's tools are here."""
    profdata, cov = tool("llvm-profdata", "clang"), tool("llvm-cov", "clang")
    if not (profdata and cov and profile.exists()):
        return {}
    merged = profile.with_suffix(".profdata")
    subprocess.run([profdata, "merge", "-o", str(merged), str(profile)], check=True)
    command = [cov, "export", "-summary-only", str(program), f"-instr-profile={merged}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {}
    for file in json.loads(text)["data"][0]["files"]:
        for source in filter(file["filename"].endswith, sources):
            found[source] = f"{file['summary']['lines']['percent']:.1f} %"
    return found


def fuzz(fuzzer: str, build: Path, seconds: int) -> Outcome:
    """Run @fuzzer on random inputs."""
    base = build.resolve() / "fuzz"
    seeds.write(base / "seeds")
    for directory in (base / "corpus" / fuzzer, base / "found"):
        directory.mkdir(parents=True, exist_ok=True)
    profile = base / f"{fuzzer}.profraw"
    command = [str(base / fuzzer), f"-max_total_time={seconds}", f"-max_len={LENGTH_MAX}"]
    command += [f"-timeout={INPUT_TIMEOUT}", f"-artifact_prefix={base}/found/{fuzzer}-"]
    command += [str(base / "corpus" / fuzzer), str(base / "seeds" / fuzzer)]
    environment = os.environ | {"LLVM_PROFILE_FILE": str(profile)}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment)
    counts = [int(count) for count in re.findall(r"^(?:#|Done )(\d+)", done.stderr, re.MULTILINE)]
    told = coverage(base / fuzzer, profile, SOURCES[fuzzer])
    executions = max(counts, default=0)
    return Outcome(fuzzer, executions, done.returncode != 0, done.stderr, told)


def main() -> int:
    build, seconds = Path(sys.argv[1]), int(sys.argv[2])
    status = 0
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for outcome in pool.map(lambda name: fuzz(name, build, seconds), seeds.ALL):
            parts = [f"{source} {percent}" for source, percent in outcome.coverage.items()]
            told = f"; lines covered: {', '.join(parts)}" if parts else ""
            print(f"{outcome.fuzzer}: {outcome.executions} inputs{told}", flush=True)
            if outcome.found:
                print("\n".join(outcome.log.splitlines()[-40:]))
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
