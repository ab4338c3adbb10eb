"""The machine that runs and tests use: QEMU's command line for one ISO and one firmware."""

from __future__ import annotations

import functools
import glob
import os
import re
import shutil
import subprocess

from emulator.lifetime import ENDS_WITH_US

EMULATOR = os.environ.get("QEMU") or "qemu-system-x86_64"  # `make QEMU=...`
CPU = "max"  # all that TCG can do
CPU_HELP = f"{EMULATOR} -cpu help"
XAPIC = ("-cpu", f"{CPU},-x2apic")  # from 9.0 on TCG can do x2APIC mode
# For whoever looks at none: most of the instructions that the kernel executes draw on it.
NO_SCREEN = ("-vga", "none")

# Port 0xF4: the kernel writes one of these to end QEMU, which then exits with (value << 1) | 1.
POWER_OFF = 0x10 << 1 | 1
POWER_OFF_AFTER_FAILURE = 0x11 << 1 | 1

# Where distributions put the UEFI firmware: OVMF_CODE beside its OVMF_VARS.
OVMF_CODE = (
    "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/OVMF/OVMF_CODE.fd",
    "/usr/share/edk2/ovmf/OVMF_CODE*.fd",
    "/usr/share/edk2/x64/OVMF_CODE*.fd",
)


class NoFirmware(Exception):
    """There is no OVMF on this system."""


def ovmf() -> tuple[str, str]:
    """Return the paths of the UEFI firmware's code and of the variables that belong to it."""
    for pattern in OVMF_CODE:
        for code in sorted(glob.glob(pattern)):
            variables = code.replace("OVMF_CODE", "OVMF_VARS")
            if "secboot" not in code and os.path.exists(variables):
                return code, variables
    raise NoFirmware("no UEFI firmware (OVMF) found: run scripts/deps uefi")


@functools.cache
def version() -> str:
    """Return QEMU's version, such as "7.2.22"."""
    text = subprocess.run([EMULATOR, "--version"], capture_output=True, text=True).stdout
    return re.search(r"version (\S+)", text)[1]


def cpu_models() -> list[str]:
    """Return the CPU models that QEMU has."""
    done = subprocess.run(CPU_HELP.split(), capture_output=True, text=True)
    models, _, _ = done.stdout.partition("Recognized CPUID flags")
    return re.findall(r"^(?:x86)? +(\S+)", models, re.MULTILINE)


def one_instruction_at_a_time() -> list[str]:
    """Return the options that have QEMU translate, and log, each instruction on its own."""
    done = subprocess.run([EMULATOR, "-help"], capture_output=True, text=True)
    if "one-insn-per-tb" in done.stdout:
        return ["-accel", "tcg,one-insn-per-tb=on"]
    return ["-singlestep"]


def clock_of_instructions(how: str = "sleep=off") -> list[str]:
    """Return the options by which time goes with the instructions executed. The local APIC must not be
    in x2APIC mode: its timer would read that clock amid WRMSR, and QEMU end with "Bad icount read"."""
    return ["-icount", f"shift=3,{how}", *XAPIC]


def qemu_command(
    iso: str, uefi: bool, directory: str, cpu: str = CPU, kvm: bool = False, cpus: int = 1
) -> list[str]:
    """Return the command that starts QEMU on @iso without display, serial line or monitor.

    @cpu is one of cpu_models(), with what `-cpu` lets follow behind a comma. With @uefi the firmware
    keeps its variables in a copy inside @directory. With @kvm the host's own CPU runs the guest, not
    TCG. @cpus is how many there are, each a thread of the host's. A reset ends QEMU.
    """
    command = [*ENDS_WITH_US, EMULATOR, "-nodefaults", "-no-user-config"]
    command += ["-cpu", cpu, "-m", "128M"]
    command += ["-vga", "std", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
    if kvm:
        command += ["-accel", "kvm"]
    elif cpus > 1:
        command += ["-accel", "tcg,thread=multi"]
    if cpus > 1:
        command += ["-smp", str(cpus)]
    if uefi:
        code, variables = ovmf()
        private = os.path.join(directory, "ovmf-vars.fd")
        shutil.copyfile(variables, private)
        command += ["-machine", "q35"]
        command += ["-drive", f"if=pflash,format=raw,readonly=on,file={code}"]
        command += ["-drive", f"if=pflash,format=raw,file={private}"]
    else:
        command += ["-machine", "pc", "-boot", "d"]
    return command + ["-cdrom", iso]
