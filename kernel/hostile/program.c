// Making hostile programs: random bytes, random instructions, and what keeps the CPU.
#include "hostile/program.h"

#include "cpu/cpu.h"
#include "cpu/layout.h"
#include "cpu/paging.h"
#include "cpu/x86.h"
#include "hostile/instructions.h"
#include "lib/minimum.h"
#include "lib/string.h"
#include "trap/idt.h"
#include "trap/stacks.h"
#include "trap/vectors.h"

#define GENERAL_REGISTERS 15
#define REGISTER_RCX      (offsetof(struct regs, rcx) / sizeof(uint64_t))

#define OPCODE_NOP 0x90

#define COUNT(array)       (sizeof(array) / sizeof((array)[0]))
#define IS_POWER_OF_TWO(n) (((n) & ((n)-1)) == 0)

// One in so many programs is that, or has that.
#define IS_SPIN       256
#define IS_BYTES      4
#define IS_MUTATED    2
#define IS_32_BIT     4
#define KNOWS_KERNEL  2
#define WATCHES_DATA  8
#define TRACKS        8
#define STEPS         16
#define INTERRUPT_OFF 16

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

static void pick_start(struct program *program, struct random *random)
{
    struct regs *start = &program->start;
    uint64_t *registers = (uint64_t *)start;
    program->knows_kernel = random_one_in(random, KNOWS_KERNEL);
    for (size_t i = 0; i < GENERAL_REGISTERS; i++) {
        bool is_kernel = program->knows_kernel && random_one_in(random, 4);
        registers[i] = is_kernel ? pick_kernel_address(random) : pick_value(random);
    }
    if (random_bool(random)) // else REP takes its time, and then a page fault
        registers[REGISTER_RCX] = random_below(random, 64);
    start->rsp = random_bool(random) ? USER_STACK_HIGH - 128 : pick_value(random);
    start->cs = random_one_in(random, IS_32_BIT) ? SELECTOR_USER_CODE32 : SELECTOR_USER_CODE;
    start->ss = SELECTOR_USER_DATA;
    start->rflags = pick_rflags(random);
}

/// Append @size bytes to the code, as far as there is room.
static void append(struct program *program, const uint8_t *bytes, size_t size)
{
    size = minimum(size, PROGRAM_SIZE - program->size);
    memcpy(program->code + program->size, bytes, size);
    program->size += size;
}

static void append_random(struct program *program, struct random *random, size_t size)
{
    while (size-- > 0) {
        const uint8_t byte = (uint8_t)(random_next(random) >> 56);
        append(program, &byte, sizeof(byte));
    }
}

static void append_instruction(struct program *program, struct random *random,
                               const struct instruction *instruction)
{
    append(program, instruction->bytes, instruction->size);
    append_random(program, random, instruction->tail);
}

static void append_instructions(struct program *program, struct random *random)
{
    for (uint64_t left = 1 + random_below(random, 8); left > 0; left--) {
        size_t number = (random_next(random) >> 32) % hostile_instruction_count;
        append_instruction(program, random, &hostile_instructions[number]);
    }
}

/// Change one to four bits or bytes anywhere.
static void mutate(struct program *program, struct random *random)
{
    for (uint64_t left = 1 + random_below(random, 4); left > 0; left--) {
        uint8_t *byte = &program->code[(random_next(random) >> 32) % program->size];
        if (random_bool(random))
            *byte ^= (uint8_t)(1u << random_below(random, 8));
        else
            *byte = (uint8_t)random_below(random, 256);
    }
}

/// Whether what may begin at @code ends QEMU 7.2: VPINSRB, VPINSRW, VPINSRD and VPINSRQ where VEX.L
/// is set, and VPERMILPS without a VEX prefix.
static bool ends_emulator(const uint8_t *code)
{
    return (code[0] == 0xC5 && code[2] == 0xC4) ||
           (code[0] == 0xC4 && (code[3] == 0xC4 || code[3] == 0x20 || code[3] == 0x22)) ||
           (code[0] == 0x0F && code[1] == 0x38 && code[2] == 0x0C);
}

static void spare_emulator(struct program *program)
{
    for (size_t i = 0; i + 3 < PROGRAM_SIZE; i++)
        if (ends_emulator(program->code + i))
            program->code[i] = OPCODE_NOP;
}

/// With IOPL 3 the CPU is theirs, and so are all ports: so that code has nothing random in it.
static void make_spin(struct program *program, struct random *random)
{
    append_instruction(program, random, &hostile_spins[random_below(random, HOSTILE_SPINS)]);
    program->start.rsp = USER_STACK_HIGH - 128;
    program->start.rflags &= ~(uint64_t)RFLAGS_TF;
    program->start.rflags |= random_bool(random) ? RFLAGS_IOPL : 0;
    program->watches_data = false;
}

void program_make(struct program *program, uint64_t seed, uint64_t number)
{
    struct random random = random_from(random_from(seed).state + number);
    memset(program, 0, sizeof(*program));
    pick_start(program, &random);
    program->watches_data = random_one_in(&random, WATCHES_DATA);
    program->tracks_branches = random_one_in(&random, TRACKS);
    program->random = random_from(random_next(&random));
    if (random_one_in(&random, IS_SPIN)) {
        make_spin(program, &random);
    } else if (random_one_in(&random, IS_BYTES)) {
        append_random(program, &random, 1 + random_below(&random, 32));
    } else {
        append_instructions(program, &random);
        if (random_one_in(&random, IS_MUTATED))
            mutate(program, &random);
    }
    spare_emulator(program);
}

void program_set_code(struct program *program, const uint8_t *code, size_t size)
{
    program->size = 0;
    append(program, code, size);
}

void program_mutate(struct program *program)
{
    struct random random = program->random;
    mutate(program, &random);
    spare_emulator(program);
}
