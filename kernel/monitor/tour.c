// The tour: which traps, in which order, and what there is to see in each.
#include "monitor/tour.h"

#include <stdbool.h>

#include "faults/faults.h"
#include "lib/print.h"
#include "monitor/commands.h"
#include "monitor/fault_commands.h"
#include "monitor/pager.h"
#include "report/frame.h"

#define TRAPS_SHOWN 2 // of those that have no frame drawn: a few say what the others would repeat

struct stop {
    const char *name;
    bool has_frame; ///< whether its stack is worth a look
    const char *explanation;
};

static const struct stop stops[] = {
    {"bp-int3", true,
     "A trap: the saved RIP is behind INT3. The CPU pushes five words, SS and RSP too,\n"
     "although the ring stays the same; the stub adds a dummy where no code came."},
    {"de-div-zero", false,
     "A fault: the saved RIP is at DIV itself, which IRETQ would run again. So the\n"
     "handler has to change something: here it goes on at another instruction."},
    {"pf-write-readonly", true,
     "#PF has an error code, pushed by the CPU: 3 is a write to a page that is there.\n"
     "With a code RSP at the stub is a multiple of 16, without one it never is."},
    {"pf-resume-read", false,
     "The handler maps the page and returns to the same instruction, which succeeds\n"
     "now: this is how a kernel loads a page when it is first used."},
    {"gp-int13", true,
     "INT 13 is #GP's vector without its code. A kernel that goes by the vector alone\n"
     "takes RIP for the code; this path has found out, and opened the slot itself."},
    {"gp-user-cli", true,
     "Ring 3 may not touch IF. On the way to ring 0 the CPU takes another stack, from\n"
     "TSS.RSP0, and saves ring 3's; SS becomes null, which is fine in 64-bit mode."},
    {"align", false,
     "INT3 at every RSP from 0 to 15 mod 16: the CPU aligns RSP down to 16 before it\n"
     "pushes, so that all frames lie alike, whoever was interrupted."},
    {"df-np-gp", true,
     "#GP while #NP is delivered: two contributory faults make a double fault. It has\n"
     "a stack of its own, by IST, for the old one may be what is broken; no way back."},
    {"db-step", false,
     "RFLAGS.TF: #DB behind each instruction, and DR6.BS says why. The CPU clears TF\n"
     "for the handler, IRETQ brings it back: a debugger's single step is no more."},
    {"db-watch-write", false,
     "A debug register watches four bytes. #DB comes behind the write, as a trap, and\n"
     "DR6.B0 names the register: so a debugger can say who changed a variable."},
    {"irq-sti", false,
     "An interrupt that is pending comes one instruction after STI, not at once: with\n"
     "`sti; hlt` none can slip in between and leave the CPU asleep."},
    {"nmi-blocked", false,
     "IF does not hold an NMI back, but a second one waits for the first one's IRETQ.\n"
     "Any IRETQ will do, even of a breakpoint inside the handler: see nmi-unblocked."},
};

#define STOP_COUNT (sizeof(stops) / sizeof(stops[0]))

static void visit(const struct stop *stop)
{
    const struct fault *fault = fault_need(stop->name);
    if (fault == NULL)
        return;
    fault_print_head(fault);
    print("%s\n", stop->explanation);
    const struct outcome *outcome = fault_run(fault, RISK_NOTHING);
    if (stop->has_frame && outcome->count > 0)
        frame_draw_arrival(&outcome->traps[0]);
    else
        fault_print_traps(outcome, TRAPS_SHOWN);
    if (outcome->count > TRAPS_SHOWN)
        print("            %lu traps in all\n", outcome->count);
    if (outcome->verdict != PASS)
        fault_print_verdict(fault, outcome);
    if (outcome->verdict == FAIL)
        command_failed();
}

void command_tour(char *argument)
{
    (void)argument;
    for (size_t i = 0; i < STOP_COUNT; i++) {
        char what[24];
        print_to(what, sizeof(what), "%lu of %lu", i, STOP_COUNT);
        if (i > 0 && !pager_stop(what))
            return;
        print("\n");
        visit(&stops[i]);
    }
    print("\n`frame` draws the last stack, `list` shows the others, `check` runs them all.\n");
}
