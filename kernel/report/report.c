// What the panic report and the monitor's `regs` have in common.
#include "report/report.h"

#include "lib/print.h"
#include "report/describe.h"
#include "report/symbols.h"
#include "trap/entry.h"
#include "trap/vectors.h"

const char *report_vector(unsigned vector)
{
    static char text[49];
    const struct vector_info *info = vector_info(vector);
    if (info == NULL)
        print_to(text, sizeof(text), "Vector %u", vector);
    else
        print_to(text, sizeof(text), "%s%s %s", info->class == INTERRUPT ? "" : "#", info->mnemonic,
                 info->name);
    return text;
}

void report_event(const struct regs *regs)
{
    char words[72];
    const struct vector_info *info = vector_info(regs->vector);
    print("Vector  %u (0x%02x) %s\n", regs->vector, regs->vector, report_vector(regs->vector));
    if (info == NULL || !info->has_error_code || regs->slot_opened) {
        print("Error   none: the CPU pushed no code\n");
        return;
    }
    describe_error(regs->vector, regs->error_code, words, sizeof(words));
    print("Error   0x%lx: %s\n", regs->error_code, words);
}

void report_regs(const struct regs *regs)
{
    char words[72];
    symbols_describe(regs->rip, words, sizeof(words));
    print("RIP     0x%016lx %s\n", regs->rip, words);
    describe_selector(regs->cs, words, sizeof(words));
    print("CS      0x%04lx %s\n", regs->cs, words);
    describe_rflags(regs->rflags, words, sizeof(words));
    print("RFLAGS  0x%016lx %s\n", regs->rflags, words);
    print("RSP     0x%016lx (mod 16 = %lu)\n", regs->rsp, regs->rsp % 16);
    describe_selector(regs->ss, words, sizeof(words));
    print("SS      0x%04lx %s\n", regs->ss, words);
    print("RAX=%016lx RBX=%016lx RCX=%016lx\n", regs->rax, regs->rbx, regs->rcx);
    print("RDX=%016lx RSI=%016lx RDI=%016lx\n", regs->rdx, regs->rsi, regs->rdi);
    print("RBP=%016lx R8 =%016lx R9 =%016lx\n", regs->rbp, regs->r8, regs->r9);
    print("R10=%016lx R11=%016lx R12=%016lx\n", regs->r10, regs->r11, regs->r12);
    print("R13=%016lx R14=%016lx R15=%016lx\n", regs->r13, regs->r14, regs->r15);
}

void report_code(const struct regs *regs)
{
    print("Code   ");
    for (uint64_t address = regs->rip - 8; address != regs->rip + 12; address++) {
        uint8_t byte;
        char text[4] = "??";
        if (peek(&byte, address, sizeof(byte)))
            print_to(text, sizeof(text), "%02x", byte);
        print(address == regs->rip ? " <%s>" : " %s", text);
    }
    print("\n");
}
