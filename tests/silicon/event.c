// Making interrupts out of seeds, and raising them.
#include "event.h"

#include <stdio.h>
#include <string.h>

#include "extended.h"
#include "lib/random.h"
#include "trampoline.h"
#include "trap/vectors.h"

// Vectors whose exceptions carry an error code. From the manuals and not from
// kernel/trap/vectors.def: SDM vol. 3, table 6-1, and APM vol. 2, table 8-1.
#define VECTORS_WITH_CODE                                                                          \
    (1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21 | 1 << 29 |      \
     1 << 30)

// RFLAGS of a program in ring 3: what it can set by itself, and what is always so.
// SDM vol. 1, 3.4.3. Left out is TF: it would trap.
#define RFLAGS_ARITHMETIC 0x8D5 // CF, PF, AF, ZF, SF, OF
#define RFLAGS_DF         (1 << 10)
#define RFLAGS_NT         (1 << 14)
#define RFLAGS_AC         (1 << 18)
#define RFLAGS_ID         (1 << 21)
#define RFLAGS_RANDOM     (RFLAGS_ARITHMETIC | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID)
#define RFLAGS_ALWAYS     (1 << 1 | 1 << 9) // the fixed bit, IF

// IRETQ pops 64 bits for CS and SS and drops the upper 48: SDM vol. 2, IRET.
#define SELECTOR_BITS 16

#define STACK_QWORDS 1024
#define STUB_SIZE    16

/// The first stub of asm/stubs.asm.
extern const char isr_0_DE[];

static uint64_t stack[STACK_QWORDS] __attribute__((aligned(4096)));

void event_stack_clean(uint64_t from, uint64_t to)
{
    for (uint64_t *slot = (uint64_t *)from; slot < (uint64_t *)to; slot++)
        *slot = STACK_FILL;
}

void event_stack_init(void)
{
    event_stack_clean((uint64_t)stack, (uint64_t)stack + sizeof(stack));
}

/// A selector that ring 3 runs with, below random bits.
static uint64_t random_selector(struct random *random, uint16_t selector)
{
    return random_next(random) << SELECTOR_BITS | selector;
}

/// A program's state; everything but the stack pointer.
static void make_program(struct regs *regs, struct random *random)
{
    uint16_t cs, ss;
    __asm__("mov %%cs, %0\n\tmov %%ss, %1" : "=r"(cs), "=r"(ss));
    for (uint64_t *slot = &regs->r15; slot <= &regs->rax; slot++)
        *slot = random_next(random);
    regs->vector = random_next(random);
    regs->slot_opened = random_next(random);
    regs->error_code = random_next(random);
    regs->rip = (uint64_t)&trampoline_landings[random_below(random, LANDING_COUNT) * LANDING_SIZE];
    regs->cs = random_selector(random, cs);
    regs->rflags = (random_next(random) & RFLAGS_RANDOM) | RFLAGS_ALWAYS;
    regs->rsp = random_next(random);
    regs->ss = random_selector(random, ss);
}

/// On its own stack: RSP anywhere in the third quarter, and the CPU aligns down from there. On
/// another one, by an IST slot or from ring 3, RSP tells nothing about the frame.
static void choose_stack(struct event *event, struct random *random)
{
    uint64_t rsp = (uint64_t)&stack[STACK_QWORDS / 2] + random_below(random, STACK_QWORDS * 2);
    event->top = rsp & ~(uint64_t)15;
    if (random_bool(random))
        event->program.rsp = rsp;
}

void event_make(struct event *event, uint64_t seed)
{
    struct random random = random_from(seed);
    event->seed = seed;
    event->vector = random_below(&random, VECTOR_COUNT);
    bool carries_code = event->vector < 32 && VECTORS_WITH_CODE >> event->vector & 1;
    event->code_pushed = carries_code && random_bool(&random);
    event->code_missing = carries_code && !event->code_pushed;

    make_program(&event->program, &random);
    choose_stack(event, &random);
    event->program.vector = event->vector;
    event->program.slot_opened = event->code_missing;
    if (!event->code_pushed)
        event->program.error_code = 0;

    event->rewritten = random_bool(&random);
    if (event->rewritten)
        make_program(&event->resumed, &random);
    else
        event->resumed = event->program;
    event->extended = random_next(&random);
}

/// What the CPU does on delivery: SDM vol. 3, 6.14.2.
static uint64_t push_frame(const struct event *event)
{
    uint64_t *rsp = (uint64_t *)event->top;
    *--rsp = event->program.ss;
    *--rsp = event->program.rsp;
    *--rsp = event->program.rflags;
    *--rsp = event->program.cs;
    *--rsp = event->program.rip;
    if (event->code_pushed)
        *--rsp = event->program.error_code;
    return (uint64_t)rsp;
}

void event_raise(const struct event *event)
{
    trampoline_before = event->program;
    trampoline_before.rflags &= ~(uint64_t)RFLAGS_NT; // delivery clears it: SDM vol. 3, 6.12.1.3
    trampoline_frame = push_frame(event);
    trampoline_stub = (uint64_t)isr_0_DE + event->vector * STUB_SIZE;
    trampoline_regs = event->top - sizeof(struct regs);
    trampoline_rewrite = event->rewritten;
    trampoline_rewritten = event->resumed;
    trampoline_garbage = event->seed;
    trampoline_components = extended_components();
    trampoline_extended_before = extended_area(event->extended);
    trampoline_extended_after = extended_result();
    trampoline_call = (struct call){0};
    trampoline_raise();
}

void event_describe(const struct event *event, char *text, int size)
{
    snprintf(
        text, size, "vector %u, %s, RSP mod 16 = %u, DF = %d, AC = %d, frame %s", event->vector,
        event->code_pushed    ? "error code pushed"
        : event->code_missing ? "its error code missing"
                              : "no error code",
        (unsigned)event->program.rsp % 16, (event->program.rflags & RFLAGS_DF) != 0,
        (event->program.rflags & RFLAGS_AC) != 0, event->rewritten ? "rewritten" : "left alone");
}
