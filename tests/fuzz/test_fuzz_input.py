"""The kernel's readers of what firmware and boot loader hand over, as Linux programs with
sanitizers: each known flaw is refused in words, and random ones break nothing."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from conftest import BUILD, ROOT

sys.path.insert(0, str(ROOT / "tests" / "fuzz"))

import run  # noqa: E402
import seeds  # noqa: E402

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the kernel's C has instructions of x86-64"
)

# For each of four: a minute in all.
SECONDS = 15


@pytest.mark.parametrize("fuzzer", seeds.ALL)
def test_each_flaw_has_its_words(fuzzer: str, tmp_path) -> None:
    seeds.write(tmp_path)
    wrong = []
    for name, (_, words) in seeds.ALL[fuzzer].items():
        command = [str(BUILD / "fuzz" / fuzzer), str(tmp_path / fuzzer / name)]
        environment = os.environ | {"SAY": "1", "LLVM_PROFILE_FILE": str(tmp_path / "profile")}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode or words not in done.stdout or (not words and "Boot" in done.stdout):
            wrong.append(f"{name}: {words!r} is not in {done.stdout!r}\n{done.stderr[-2000:]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("fuzzer", seeds.ALL)
def test_random_input_breaks_nothing(fuzzer: str) -> None:
    outcome = run.fuzz(fuzzer, BUILD, SECONDS)
    print(f"{outcome.executions} inputs")
    assert not outcome.found, outcome.log[-4000:]
    assert outcome.executions > 1000, outcome.log[-4000:]
