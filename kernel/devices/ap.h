// Starting the application processors (APs): all CPUs but the one that has booted.
#pragma once

/// Start every CPU that the ACPI MADT lists, one after the other; each then waits for work. Says
/// which could not be started. Needs timer_init() and interrupts.
void ap_start_all(void);
