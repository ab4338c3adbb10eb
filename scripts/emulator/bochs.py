"""The second machine that runs and tests use: Bochs's configuration for one ISO.

COM1 is a pseudo-terminal of ours. Bochs does not run without a display: where there is no window,
it is a terminal that shows nothing.
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass

from emulator.lifetime import ENDS_WITH_US

EMULATOR = os.environ.get("BOCHS") or "bochs"  # `make BOCHS=...`
CPU = "tigerlake"  # it has CET
CPU_HELP = f"{EMULATOR} --help cpu"
PLUGINS = "/usr/lib*/bochs/plugins/libbx_{}_gui.so", "/usr/lib/*/bochs/plugins/libbx_{}_gui.so"

# The ROMs as packages name them. Bochs's own default is a name that differs between its versions.
ROMS = {
    "romimage": ["/usr/share/bochs/BIOS-bochs-latest"],
    "vgaromimage": [
        "/usr/share/bochs/VGABIOS-lgpl-latest.bin",
        "/usr/share/bochs/VGABIOS-lgpl-latest",
    ],
}

# What Bochs's log says at the end. Its exit status is 1 however it ends.
POWER_OFF = "Shutdown port: shutdown requested"
TRIPLE_FAULT = "exception with no resolution"
LAST_WORDS = re.compile(rf">>PANIC<< (.*)|\w\[CPU0 *\] (.*{TRIPLE_FAULT})")
LAST_BYTES = 4096  # of the log, in which a triple fault is looked for

# reset_on_triple_fault=0: a triple fault ends Bochs, or end_at_shutdown() does. extension=none: without VBE, because GRUB's
# way into a graphics mode crashes there. The BIOS of Bochs 2.7 does not survive a warm reset on a
# CPU with VMX (it writes the locked IA32_FEATURE_CONTROL), so a reset ends Bochs as well.
CONFIGURATION = """\
display_library: {display}
{roms}
vga: extension=none
cpu: model={cpu}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=0
megs: 128
clock: sync={sync}, time0=utc
ata0-master: type=cdrom, path="{iso}", status=inserted
boot: cdrom
com1: enabled=1, mode=term, dev={serial}
port_e9_hack: enabled=1
sound: waveoutdrv=dummy
log: {log}
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore, cpu0={witness}
"""


@dataclass
class Pace:
    """How emulated time goes by: instructions in one of its seconds, and what it waits for."""

    ips: int
    sync: str


# For a person: a second is a second, and an idle guest leaves the host's CPU alone.
REAL_TIME = Pace(50_000_000, "slowdown")
# For tests and scripts: few instructions for the time in which devices make the guest wait, such as
# that of a byte on the serial line. With fewer, Bochs's polls of the host's end cost more.
FAST = Pace(2_000_000, "none")


def _roms() -> str:
    """Return the lines that name the ROMs; where one is not found, Bochs looks for it itself."""
    found = {name: next(filter(os.path.exists, paths), None) for name, paths in ROMS.items()}
    return "\n".join(f'{name}: file="{path}"' for name, path in found.items() if path)


def window_display() -> str | None:
    """Return Bochs's name for a window on this desktop, or None where there can be none."""
    if not os.environ.get("DISPLAY"):
        return None
    for name in ("x", "sdl2"):
        if any(glob.glob(pattern.format(name)) for pattern in PLUGINS):
            return name
    return None


def bochs_command(
    iso: str,
    directory: str,
    serial: str,
    pace: Pace,
    *,
    cpu: str = CPU,
    cpus: int = 1,
    display: str | None = None,
    witness: bool = False,
) -> list[str]:
    """Write the configuration into @directory and return the command that starts Bochs on @iso.

    @serial is the terminal that COM1 is, @cpu one of cpu_models(), @cpus how many there
    are. With @witness the log has every delivery of the CPU.
    """
    log = log_path(directory)
    configuration = os.path.join(directory, "bochsrc")
    with open(configuration, "w") as file:
        file.write(
            CONFIGURATION.format(
                display=display or "term",
                roms=_roms(),
                cpu=cpu,
                cpus=cpus,
                ips=pace.ips,
                sync=pace.sync,
                iso=os.path.abspath(iso),
                serial=serial,
                log=log,
                witness="report" if witness else "ignore",
            )
        )
    command = [*ENDS_WITH_US, EMULATOR, "-q", "-f", configuration]
    if _has_debugger():
        go = os.path.join(directory, "debugger-commands")
        with open(go, "w") as file:
            file.write("continue\n")
        command += ["-rc", go]
    return command


def environment() -> dict[str, str]:
    """Return the environment that Bochs is to run in."""
    return {**os.environ, "TERM": "dumb"}  # Bochs's terminal display then draws nothing


def log_path(directory: str) -> str:
    """Return where the log of a machine started in @directory is."""
    return os.path.join(directory, "bochs.log")


def end_reason(directory: str) -> str:
    """Return the panic or the triple fault with which Bochs has ended, in its log's words, or ''."""
    if not os.path.exists(log_path(directory)):
        return ""
    with open(log_path(directory), errors="replace") as file:
        found = LAST_WORDS.findall(file.read())
    return "".join(found[-1]).strip() if found else ""


def end_at_shutdown(process: subprocess.Popen, directory: str) -> None:
    """Wait for the end of Bochs; end it when its CPU has shut down. From 3.1 on Bochs only warns of
    a triple fault, and stays as it is for ever."""
    while True:
        try:
            process.wait(0.2)
            return
        except subprocess.TimeoutExpired:
            if _is_shut_down(directory):
                process.kill()


def _is_shut_down(directory: str) -> bool:
    with suppress(FileNotFoundError), open(log_path(directory), "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_BYTES))
        return TRIPLE_FAULT.encode() in file.read()
    return False


def cpu_models() -> list[str]:
    """Return the CPU models that Bochs has."""
    return re.findall(r"^(\w+)$", _output(CPU_HELP.split()), re.MULTILINE)


def _has_debugger() -> bool:
    return " -rc " in _output([EMULATOR, "--help"])


def version() -> str:
    """Return Bochs's version, such as "2.7"."""
    return re.search(r"Bochs x86 Emulator (\S+)", _output([EMULATOR, "--help"])).group(1)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    return (done.stdout + done.stderr).decode(errors="replace")
