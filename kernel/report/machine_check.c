// The banks of the machine-check architecture, for the panic report.
#include "report/machine_check.h"

#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/print.h"
#include "report/describe.h"

// Each bank has four registers, of which these are the second and the third.
#define BANK_REGISTERS   4
#define MCI_STATUS(bank) (IA32_MC0_STATUS + BANK_REGISTERS * (bank))
#define MCI_ADDR(bank)   (IA32_MC0_ADDR + BANK_REGISTERS * (bank))
#define MCG_CAP_COUNT    0xFF

static void report_bank(unsigned bank)
{
    char words[48];
    uint64_t status = rdmsr(MCI_STATUS(bank));
    if (!(status & MCI_STATUS_VAL))
        return;
    describe_mci_status(status, words, sizeof(words));
    print("Bank %-2u 0x%016lx %s\n", bank, status, words);
    if (status & MCI_STATUS_ADDRV)
        print("        of address 0x%016lx\n", rdmsr(MCI_ADDR(bank)));
}

void machine_check_report(void)
{
    char words[48];
    if (!cpu_has(FEATURE_MCA))
        return;
    uint64_t status = rdmsr(IA32_MCG_STATUS);
    describe_mcg_status(status, words, sizeof(words));
    print("MCG     0x%016lx %s\n", status, words);
    for (unsigned bank = 0; bank < (rdmsr(IA32_MCG_CAP) & MCG_CAP_COUNT); bank++)
        report_bank(bank);
}
