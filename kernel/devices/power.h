// Switching the machine off and on again, in an emulator and on a real PC.
#pragma once

/// Switch the machine off. In QEMU with `-device isa-debug-exit,iobase=0xf4` the emulator exits
/// with (@status << 1) | 1 (@status 0 to 127); Bochs and real machines have no such status. Where
/// nothing works the machine halts with a message. Needs acpi_init().
_Noreturn void power_off(unsigned status);

/// Reset the machine. Needs acpi_init().
_Noreturn void power_reboot(void);
