"""What scripts/bench asks of QEMU to count the interrupt path's instructions. The counting itself
takes many seconds, and is left to it."""

from __future__ import annotations

import subprocess

from emulator.qemu import EMULATOR, one_instruction_at_a_time


def test_qemu_knows_how_to_execute_one_instruction_at_a_time() -> None:
    command = [EMULATOR, "-nodefaults", "-no-user-config", "-display", "none", "-S"]
    command += ["-monitor", "stdio", *one_instruction_at_a_time()]
    done = subprocess.run(command, input="quit\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
