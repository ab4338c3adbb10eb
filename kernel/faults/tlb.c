// Every CPU looks, one changes, every CPU looks again.
#include "faults/tlb.h"

#include <stddef.h>

#include "devices/call.h"
#include "devices/shootdown.h"
#include "faults/window.h"

static void change(void *argument)
{
    window_change(*(const bool *)argument);
}

static void shoot_down(void *argument)
{
    (void)argument;
    shootdown(window_forget);
}

static void look(void *argument)
{
    *(bool *)argument = !window_is_other();
}

static void run(struct cpu *cpu, void (*work)(void *argument), void *argument)
{
    if (cpu == this_cpu())
        work(argument);
    else
        call_run(cpu, work, argument);
}

static void look_everywhere(bool *is_own)
{
    for (unsigned number = 0; number < cpu_count; number++)
        run(cpu_at(number), look, &is_own[number]);
}

void tlb_try(struct cpu *changer, struct tlb_trial *trial)
{
    bool to_other = true, back = false;
    look_everywhere(trial->is_stale); // so each has the translation
    run(changer, change, &to_other);
    look_everywhere(trial->is_stale);
    run(changer, shoot_down, NULL);
    look_everywhere(trial->is_stale_yet);
    run(changer, change, &back);
    run(changer, shoot_down, NULL);
}
