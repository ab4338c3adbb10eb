// Picking registers and the rest of what a hostile program starts with.
#include "hostile/start.h"

#include "cpu/cpu.h"
#include "cpu/layout.h"
#include "cpu/paging.h"
#include "cpu/x86.h"
#include "hostile/segments.h"
#include "trap/idt.h"
#include "trap/stacks.h"
#include "trap/vectors.h"

#define GENERAL_REGISTERS 15
#define REGISTER_RCX      (offsetof(struct regs, rcx) / sizeof(uint64_t))

#define COUNT(array)       (sizeof(array) / sizeof((array)[0]))
#define IS_POWER_OF_TWO(n) (((n) & ((n)-1)) == 0)

// One in so many programs has that.
#define IS_32_BIT        4
#define KNOWS_KERNEL     2
#define HAS_LDT          2
#define HAS_SHADOW_STACK 2
#define TRACKS           4
#define WATCHES_DATA     8
#define HAS_BREAKPOINT   8
#define STEPS            16
#define INTERRUPT_OFF    16

/// Be of @kind once in @power_of_two times.
static void be_one_in(struct program *program, enum kind kind, struct random *random,
                      uint64_t power_of_two)
{
    if (random_one_in(random, power_of_two))
        program_be(program, kind);
}

/// An address, a selector, a number on an edge, or anything.
static uint64_t pick_value(struct random *random)
{
    const uint64_t values[] = {
        0,
        1,
        UINT64_MAX,
        INT64_MAX,
        INT64_MAX + 1ul,
        HOSTILE_DATA,
        HOSTILE_DATA + PAGE_SIZE - 4, // across the end
        HOSTILE_DATA + 1,
        HOSTILE_CODE,
        USER_STACK_HIGH - 64,
        0x00007FFFFFFFFFFF, // the last of the lower half
        0x0000800000000000, // the first that is no address
        0xFFFF7FFFFFFFFFFF, // the last that is none
        random_below(random, 256),
        random_below(random, PAGE_SIZE) + HOSTILE_DATA,
        random_next(random) >> 32,
    };
    _Static_assert(IS_POWER_OF_TWO(COUNT(values)), "random_below() takes no other");
    return values[random_below(random, COUNT(values))];
}

/// Where a kernel is most easily hurt.
static uint64_t pick_kernel_address(struct random *random)
{
    const uint64_t addresses[] = {
        (uint64_t)kernel_start,
        (uint64_t)data_start,
        (uint64_t)idt_gate(VECTOR_USER),
        (uint64_t)&this_cpu()->tss.rsp[0],
        (uint64_t)&this_cpu()->gdt[SELECTOR_KERNEL_CODE / 8],
        KERNEL_STACK_HIGH - 8,
        KERNEL_STACK_LOW - 8,
        DF_STACK_HIGH - 8,
    };
    _Static_assert(IS_POWER_OF_TWO(COUNT(addresses)), "random_below() takes no other");
    return addresses[random_below(random, COUNT(addresses))];
}

static uint64_t pick_rflags(struct random *random)
{
    uint64_t flags = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_DF |
                     RFLAGS_OF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;
    flags = (flags & random_next(random)) | RFLAGS_FIXED;
    flags |= random_one_in(random, STEPS) ? RFLAGS_TF : 0;
    return flags | (random_one_in(random, INTERRUPT_OFF) ? 0 : RFLAGS_IF);
}

/// 64-bit code has the segments of the GDT; other code may have some of its own.
static void pick_segments(struct program *program, struct random *random)
{
    program->start.cs = SELECTOR_USER_CODE;
    program->start.ss = SELECTOR_USER_DATA;
    if (!random_one_in(random, IS_32_BIT))
        return;
    program_be(program, KIND_COMPATIBILITY);
    program->start.cs = SELECTOR_USER_CODE32;
    if (!program_is(program, KIND_LDT))
        return;
    program->start.cs = segments_pick_code(random);
    program->start.ss = segments_pick_stack(random);
}

/// In the middle of its page, at the ends, or in a page that is no shadow stack.
static void pick_shadow_stack(struct program *program, struct random *random)
{
    const uint64_t stacks[] = {
        HOSTILE_SHADOW,
        HOSTILE_SHADOW + PAGE_SIZE,
        HOSTILE_DATA + PAGE_SIZE / 2,
    };
    const size_t number = random_below(random, 16);
    program->ssp = number < COUNT(stacks) ? stacks[number] : HOSTILE_SHADOW + PAGE_SIZE / 2;
    if (random_bool(random))
        program->start.rdi = HOSTILE_SHADOW + random_below(random, PAGE_SIZE / 8) * 8;
}

static void pick_registers(struct program *program, struct random *random)
{
    struct regs *start = &program->start;
    uint64_t *registers = (uint64_t *)start;
    for (size_t i = 0; i < GENERAL_REGISTERS; i++) {
        bool is_kernel = program_is(program, KIND_KNOWS_KERNEL) && random_one_in(random, 4);
        registers[i] = is_kernel ? pick_kernel_address(random) : pick_value(random);
    }
    if (random_bool(random)) // else REP takes its time, and then a page fault
        registers[REGISTER_RCX] = random_below(random, 64);
    start->rsp = random_bool(random) ? USER_STACK_HIGH - 128 : pick_value(random);
}

/// Be no longer of what this CPU has not: of one number the programs are the same on all.
static void leave_out(struct program *program)
{
    if (!cpu_has(FEATURE_CET_SS))
        program->kinds &= ~(1u << KIND_SHADOW_STACK);
    if (!cpu_has(FEATURE_CET_IBT))
        program->kinds &= ~(1u << KIND_TRACKED);
}

void start_pick(struct program *program, struct random *random)
{
    be_one_in(program, KIND_KNOWS_KERNEL, random, KNOWS_KERNEL);
    be_one_in(program, KIND_LDT, random, HAS_LDT);
    be_one_in(program, KIND_WATCH, random, WATCHES_DATA);
    be_one_in(program, KIND_BREAKPOINT, random, HAS_BREAKPOINT);
    be_one_in(program, KIND_SHADOW_STACK, random,
              program_is(program, KIND_CET) ? 1 : HAS_SHADOW_STACK);
    be_one_in(program, KIND_TRACKED, random, TRACKS);
    pick_registers(program, random);
    pick_segments(program, random);
    if (program_is(program, KIND_SHADOW_STACK))
        pick_shadow_stack(program, random);
    program->start.rflags = pick_rflags(random);
    program->breakpoint = (uint8_t)random_below(random, 8);
    leave_out(program);
}

void start_note_flags(struct program *program)
{
    const uint64_t rflags = program->start.rflags;
    const struct {
        uint64_t flag;
        enum kind kind;
    } flags[] = {
        {rflags & RFLAGS_TF, KIND_STEPS},           {rflags & RFLAGS_AC, KIND_CHECKS_ALIGNMENT},
        {rflags & RFLAGS_NT, KIND_NESTED},          {rflags & RFLAGS_RF, KIND_RESUMES},
        {~rflags & RFLAGS_IF, KIND_INTERRUPTS_OFF}, {rflags & RFLAGS_IOPL, KIND_OWNS_PORTS},
    };
    for (size_t i = 0; i < COUNT(flags); i++)
        if (flags[i].flag)
            program_be(program, flags[i].kind);
}
