// The other CPUs of a machine that panics.
#pragma once

/// On a machine with several CPUs: which one panics.
void others_name_this(void);

/// Where stop_others() has found each of them, in short, or that it has not answered.
void others_report(void);
