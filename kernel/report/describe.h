// The machine's codes in words.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// What the error @code of @vector says, e.g. "write to a protected page in ring 0 [P W]" or
/// "selector 0x40: GDT entry 8". SDM vol. 3, 6.13 and 4.7.
void describe_error(unsigned vector, uint64_t code, char *text, size_t size);

/// The names of the flags set in @rflags, e.g. "[ZF IF IOPL0 IOPL1]". SDM vol. 1, 3.4.3.
void describe_rflags(uint64_t rflags, char *text, size_t size);

/// The causes set in @dr6, e.g. "[B0 BS]". SDM vol. 3, 17.2.3.
void describe_dr6(uint64_t dr6, char *text, size_t size);

/// The bits set in MCG_STATUS, e.g. "[RIPV MCIP]". SDM vol. 3, 15.3.1.2.
void describe_mcg_status(uint64_t status, char *text, size_t size);

/// The flags set in a bank's MCi_STATUS, e.g. "[VAL UC EN ADDRV]". SDM vol. 3, 15.3.2.2.
void describe_mci_status(uint64_t status, char *text, size_t size);

/// What @selector says, e.g. "GDT entry 5, ring 3" or "null". SDM vol. 3, 3.4.2.
void describe_selector(uint64_t selector, char *text, size_t size);
