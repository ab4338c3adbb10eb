"""No emulator outlives the one who has started it: a test, or a command, that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from conftest import ROOT
from guest import PROMPT
from processes import children, has_ended

TIMEOUT = 10  # seconds for the kernel of the host to end a process

# Each says the monitor's prompt when its emulator is at it.
IN_A_TEST = f"""
import sys, time
sys.path[:0] = [{str(ROOT / "scripts")!r}, {str(ROOT / "tests" / "support")!r}]
from {{module}} import {{name}}
machine = {{name}}({{iso!r}})
machine.wait_for({PROMPT!r})
print({PROMPT!r}, flush=True)
time.sleep(600)
"""
RUN = [sys.executable, str(ROOT / "scripts" / "run"), "--display", "none", "--emu"]


@pytest.mark.parametrize("emulator", ["qemu", "bochs"])
@pytest.mark.parametrize("starter", ["test", "run"])
def test_an_emulator_ends_with_who_has_started_it(starter: str, emulator: str, iso: str) -> None:
    program = IN_A_TEST.format(module=emulator, name=emulator.capitalize(), iso=iso)
    command = [*RUN, emulator, iso] if starter == "run" else [sys.executable, "-c", program]
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **ends) as process:
        said = b""
        while PROMPT.encode() not in said:
            data = os.read(process.stdout.fileno(), 65536)
            assert data, said
            said += data
        (machine,) = children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert has_ended(machine, TIMEOUT)
