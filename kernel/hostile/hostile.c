// A hostile program comes and goes by three traps. The witness, code of ours in ring 3, calls: that
// shows what the way into ring 3 has left in the registers. Its handler returns into the program,
// for every slot of the frame is writable. At the program's own trap the handler returns to the
// witness with all registers as they are; they must come back the same with its second call.
#include "hostile/hostile.h"

#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "devices/lapic.h"
#include "devices/watchdog.h"
#include "faults/deviations.h"
#include "faults/state.h"
#include "hostile/segments.h"
#include "hostile/world.h"
#include "lib/print.h"
#include "lib/string.h"
#include "report/panic.h"
#include "trap/entry.h"
#include "trap/ring.h"
#include "trap/stacks.h"
#include "trap/tables.h"
#include "trap/trap.h"

// A program that is still there at so many ticks, or NMIs where it lets no tick through, keeps the
// CPU. An emulator that the host lets wait may have one at once.
#define PATIENCE 4

// How much faster than else the timer ticks: most programs have ended long before.
#define HASTE 10

#define GENERAL_REGISTERS_SIZE offsetof(struct regs, vector)

static enum { AWAY, ARRIVES, RUNS, LEAVES } phase;
static const struct program *program;
static struct ending ending;
static unsigned interruptions;                      ///< of the running program, those that count
static struct extended extended_given, extended_at; ///< at its start; at its end
static trap_fn *swapped[VECTOR_COUNT]; ///< the handlers that are away while programs run

/// Keep the first finding: what follows is its consequence.
__attribute__((format(printf, 1, 2))) static void find(const char *format, ...)
{
    if (ending.finding[0])
        return;
    va_list arguments;
    va_start(arguments, format);
    print_to_v(ending.finding, sizeof(ending.finding), format, arguments);
    va_end(arguments);
}

static void compare_registers(const struct regs *seen, const struct regs *due, const char *where)
{
    static const char *const names[] = {
#define NOTE(text)
#define OFFSET(name, field, offset) #field,
#include "trap/regs.def"
#undef OFFSET
#undef NOTE
    };
    const uint64_t *is = (const uint64_t *)seen, *was = (const uint64_t *)due;
    for (size_t i = 0; i < GENERAL_REGISTERS_SIZE / sizeof(*is); i++)
        if (is[i] != was[i])
            find("%s %s is 0x%lx, not 0x%lx", where, names[i], is[i], was[i]);
    if (seen->rsp != due->rsp)
        find("%s rsp is 0x%lx, not 0x%lx", where, seen->rsp, due->rsp);
}

static void compare_extended(const struct extended *due, const char *where)
{
    static struct extended seen;
    world_extended(&seen);
    for (size_t i = 0; i < sizeof(seen); i++)
        if (seen.bytes[i] != due->bytes[i])
            find("%s byte %lu of XSAVE's area is 0x%x, not 0x%x", where, i, seen.bytes[i],
                 due->bytes[i]);
}

static void go_to_witness(struct regs *regs)
{
    regs->rip = world_witness();
    regs->cs = SELECTOR_USER_CODE;
    regs->ss = SELECTOR_USER_DATA;
    regs->rflags = RFLAGS_FIXED;
}

static bool is_call_of_witness(const struct regs *regs)
{
    return regs->vector == VECTOR_USER && regs->rip == world_witness_end();
}

/// In ring 3 for the first time: there is nothing yet in its registers but what ring3_call() was
/// told.
static void arrive(struct regs *regs)
{
    static const struct regs nothing = {.rsp = USER_STACK_HIGH};
    if (!is_call_of_witness(regs))
        find("the witness ended with vector %u at 0x%lx", regs->vector, regs->rip);
    compare_registers(regs, &nothing, "at the start");
    compare_extended(&extended_given, "at the start");
    *regs = program->start;
    regs->rip = world_rip(program);
    phase = RUNS;
}

static void end_program(struct regs *regs)
{
    ending.regs = *regs;
    ending.cr2 = read_cr2();
    world_extended(&extended_at);
    write_dr7(DR7_INIT);
    go_to_witness(regs);
    phase = LEAVES;
}

static void leave(struct regs *regs)
{
    if (!is_call_of_witness(regs))
        find("the witness ended with vector %u at 0x%lx", regs->vector, regs->rip);
    compare_registers(regs, &ending.regs, "after a return");
    compare_extended(&extended_at, "after a return");
    state_restore_cet();
    ring_leave(regs, 0);
    phase = AWAY;
}

static bool is_in_ring3(const struct regs *regs)
{
    return (regs->cs & SELECTOR_RPL) == 3;
}

/// An interrupt, which may have come at any instruction.
static void interrupt(struct regs *regs, int how)
{
    if (!is_in_ring3(regs) && !(regs->rip >> 63))
        panic_trap(regs);
    bool lets_ticks_through = regs->rflags & RFLAGS_IF;
    if (phase != RUNS || !is_in_ring3(regs) || (how == PREEMPTED) != lets_ticks_through)
        return;
    if (++interruptions < PATIENCE)
        return;
    ending.how = how;
    end_program(regs);
}

static void on_tick(struct regs *regs)
{
    swapped[VECTOR_TIMER](regs);
    interrupt(regs, PREEMPTED);
}

static void on_nmi(struct regs *regs)
{
    interrupt(regs, PREEMPTED_BY_NMI);
}

/// What a debug register has seen in MOV SS comes behind the next instruction: if that is INT n, at
/// the first one of a stub. SDM vol. 3, 6.8.3. QEMU's TCG has it so behind a watched write as well,
/// where the instruction that writes goes on to fault.
static bool is_delayed(const struct regs *regs)
{
    return regs->vector == VECTOR_DB && phase == RUNS && program_is(program, KIND_WATCH) &&
           regs->rip >> 63;
}

static void on_trap(struct regs *regs)
{
    if (!is_in_ring3(regs)) {
        if (!is_delayed(regs))
            panic_trap(regs);
        ending.delayed++;
        return;
    }
    switch (phase) {
    case ARRIVES:
        arrive(regs);
        return;
    case RUNS:
        end_program(regs);
        return;
    default:
        leave(regs);
    }
}

static trap_fn *handler_for(unsigned vector)
{
    if (vector == VECTOR_TIMER)
        return on_tick;
    if (vector == VECTOR_NMI)
        return on_nmi;
    return (vector < EXCEPTION_COUNT && vector != VECTOR_MC) || vector == VECTOR_USER ? on_trap
                                                                                      : NULL;
}

void hostile_init(void)
{
    world_init();
}

void hostile_begin(void)
{
    cli();
    state_save();
    tables_open();
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        swapped[vector] = handler_for(vector);
    trap_swap_handlers(swapped);
    segments_init();
    tables_close();
    if (cpu_has(FEATURE_FSGSBASE))
        write_cr4(read_cr4() | CR4_FSGSBASE);
    if (deviation_unsafe("bp-user-no-keys"))
        write_cr4(read_cr4() & ~(uint64_t)CR4_PKE);
    lapic_write(LAPIC_TIMER_INITIAL_COUNT, lapic_read(LAPIC_TIMER_INITIAL_COUNT) / HASTE);
    watchdog_start();
}

void hostile_end(void)
{
    watchdog_stop();
    tables_open();
    state_restore();
    trap_swap_handlers(swapped);
    tables_close();
    sti();
}

const struct ending *hostile_run(const struct program *to_run)
{
    program = to_run;
    memset(&ending, 0, sizeof(ending));
    interruptions = 0;
    world_prepare(program);
    world_extended(&extended_given);
    phase = ARRIVES;
    ring3_call(world_witness(), USER_STACK_HIGH, RFLAGS_FIXED, tables_rsp0());
    uint64_t leak = program_is(program, KIND_KNOWS_KERNEL)
                        ? 0
                        : world_find_leak(program, &ending.regs, &extended_at);
    if (leak)
        find("an address of the kernel is in ring 3: 0x%lx", leak);
    return &ending;
}
