"""KVM: whether QEMU can run the guest on this machine's own CPU, and what to do where it cannot."""

from __future__ import annotations

import os
import subprocess

from emulator import qemu

DEVICE = "/dev/kvm"
CPU = "host"
BOOT_LIMIT = 40  # seconds: a guest takes one; a KVM that emulates may take for ever

# A KVM without the CPU's virtualization: its guests are kernels that were written for it.
PVM = "/sys/module/kvm_pvm"

NO_DEVICE = f"""\
there is no {DEVICE}: enable VT-x or AMD-V in the firmware's setup, then \
`sudo modprobe kvm_intel` or `sudo modprobe kvm_amd`. A virtual machine needs nested \
virtualization, a container the device (docker run --device {DEVICE})"""

NO_PERMISSION = f"""\
no permission for {DEVICE}: `sudo usermod -aG kvm $USER`, then log in again"""

NO_HARDWARE = """\
KVM is the module kvm_pvm here, which is no hardware: it runs kernels that were made for it alone. \
Take EMU=qemu"""

NOT_UP = " This KVM does not run it: take EMU=qemu, or a machine that is not itself a virtual one"


class NoKvm(Exception):
    """There is no KVM here that runs a guest; the text says why, and what to do."""


def check() -> None:
    """See that QEMU can make a virtual CPU by KVM here, or raise NoKvm."""
    if not os.path.exists(DEVICE):
        raise NoKvm(NO_DEVICE)
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        raise NoKvm(NO_PERMISSION)
    if os.path.exists(PVM):
        raise NoKvm(NO_HARDWARE)
    command = [qemu.EMULATOR, "-accel", "kvm", "-cpu", CPU, "-nodefaults", "-display", "none"]
    command += ["-S", "-monitor", "stdio"]
    done = subprocess.run(command, input="quit\n", capture_output=True, text=True)
    if done.returncode != 0:
        raise NoKvm(_refusal(done.stderr))


def _refusal(errors: str) -> str:
    """Say why QEMU, which printed @errors, has not made the CPU."""
    lines = errors.strip().splitlines() or ["no message"]
    return f"QEMU cannot run this CPU by KVM: {lines[0]}. Take EMU=qemu"
