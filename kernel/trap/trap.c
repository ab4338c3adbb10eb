// trap_dispatch(): where every trap arrives in C.
#include "trap/trap.h"

#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/panic.h"
#include "lib/string.h"
#include "trap/entry.h"
#include "trap/stacks.h"

/// A line of the exception table: asm/peek.asm writes it.
struct fixup {
    uint64_t rip, next;
};

extern const struct fixup fixups_start[], fixups_end[];

static trap_fn *handlers[VECTOR_COUNT];
static trap_fn *unexpected; ///< the handler of vectors that have no other

/// Of vectors on which fix_up() comes first: the handlers for traps that it does not know.
static trap_fn *handlers_behind[VECTOR_COUNT];

/// Count and note it, cheaply, for this is done on every trap. An NMI may come at any instruction
/// and do the same: so each number is taken in one.
static void note(struct cpu *cpu, const struct regs *regs)
{
    fetch_add(&cpu->trap_count[regs->vector], 1);
    cpu->traps[fetch_add(&cpu->traps_taken, 1) % TRAPS_KEPT] = (struct taken_trap){
        .regs = regs,
        .rip = regs->rip,
        .error_code = regs->error_code,
        .vector = regs->vector,
        .slot_opened = regs->slot_opened,
    };
}

void trap_dispatch(struct regs *regs)
{
    // A stub pushes no other; but what lies on the stack can be overwritten, and this is called.
    if (regs->vector >= VECTOR_COUNT)
        panic("The frame at 0x%lx is damaged: vector %u", (uint64_t)regs, regs->vector);
    note(this_cpu(), regs);
    handlers[regs->vector](regs);
}

/// The first handler of the faults that a read may cause. Ring 3 can jump to any address, and gets
/// no fixup for it.
static void fix_up(struct regs *regs)
{
    for (const struct fixup *fixup = fixups_start; fixup < fixups_end; fixup++) {
        if (fixup->rip == regs->rip && (regs->cs & 3) == 0) {
            regs->rip = fixup->next;
            return;
        }
    }
    handlers_behind[regs->vector](regs);
}

/// Where the handler of @vector stands that others may change.
static trap_fn **handler_of(unsigned vector)
{
    return handlers[vector] == fix_up ? &handlers_behind[vector] : &handlers[vector];
}

void trap_init(trap_fn *fn)
{
    unexpected = fn;
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        handlers[vector] = handlers_behind[vector] = fn;
    handlers[VECTOR_PF] = handlers[VECTOR_GP] = fix_up;
}

void trap_init_clac(void)
{
    static const uint8_t clac_code[] = {0x0F, 0x01, 0xCA};
    if (cpu_has(FEATURE_SMAP))
        memcpy(trap_entry_clac, clac_code, sizeof(clac_code));
}

trap_fn *trap_handler(unsigned vector, trap_fn *fn)
{
    trap_fn *before = *handler_of(vector);
    *handler_of(vector) = fn;
    return before;
}

void trap_swap_handlers(trap_fn *others[VECTOR_COUNT])
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        if (others[vector])
            others[vector] = trap_handler(vector, others[vector]);
}

bool trap_is_expected(unsigned vector)
{
    return *handler_of(vector) != unexpected;
}

uint64_t trap_count(unsigned vector)
{
    return this_cpu()->trap_count[vector];
}

uint64_t trap_count_of_all(unsigned vector)
{
    uint64_t count = 0;
    for (unsigned number = 0; number < cpu_count; number++)
        count += cpu_at(number)->trap_count[vector];
    return count;
}
