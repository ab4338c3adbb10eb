// What the CPU has recorded of a machine check: SDM vol. 3, 15.3.
#pragma once

/// Print MCG_STATUS and each bank with a valid error; nothing on a CPU without the machine-check
/// architecture.
void machine_check_report(void);
