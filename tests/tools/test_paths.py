"""What scripts/bench asks of QEMU to count the interrupt path's instructions. The counting itself
takes many seconds, and is left to it."""

from __future__ import annotations

import subprocess

from emulator.qemu import EMULATOR, one_instruction_at_a_time
from paths import emulated

# What a busy machine makes QEMU write: its timer came before the second instruction.
STOPPED = """\
Trace 0: 0x7f3434c99800 [0000000000000000/ffffffff8010c031/18c0c2b0/ff000201] trap_entry
Trace 0: 0x7f3434c99900 [0000000000000000/ffffffff8010c034/18c0c2b0/ff000201] trap_entry
Stopped execution of TB chain before 0x7f3434c99900 [ffffffff8010c034] trap_entry
Trace 0: 0x7f3434c99900 [0000000000000000/ffffffff8010c034/18c0c2b0/ff000201] trap_entry
"""


def test_qemu_knows_how_to_execute_one_instruction_at_a_time() -> None:
    command = [EMULATOR, "-nodefaults", "-no-user-config", "-display", "none", "-S"]
    command += ["-monitor", "stdio", *one_instruction_at_a_time()]
    done = subprocess.run(command, input="quit\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_an_instruction_that_qemu_was_stopped_at_counts_once() -> None:
    assert emulated.EXECUTED.findall(STOPPED) == ["ffffffff8010c031", "ffffffff8010c034"]
