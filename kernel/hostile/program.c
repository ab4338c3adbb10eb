// Making hostile programs: random bytes, random instructions, and what keeps the CPU.
#include "hostile/program.h"

#include "cpu/layout.h"
#include "cpu/paging.h"
#include "cpu/x86.h"
#include "hostile/instructions.h"
#include "hostile/segments.h"
#include "hostile/start.h"
#include "lib/minimum.h"
#include "lib/string.h"

#define OPCODE_NOP 0x90

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// One in so many programs is that, and one in so many of its instructions does that.
#define IS_SPIN             256
#define IS_BYTES            8
#define IS_MUTATED          2
#define CHANGES_THE_SUBJECT 4

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

/// Where a far transfer may lead: the witness and the code, by segments of either base.
static uint64_t pick_target(struct random *random)
{
    const uint64_t end = PAGE_SIZE - random_below(random, PROGRAM_SIZE / 2);
    const uint64_t targets[] = {HOSTILE_CODE, 0, HOSTILE_CODE + end, end};
    return targets[random_below(random, COUNT(targets))];
}

static void append_instruction(struct program *program, struct random *random,
                               const struct instruction *instruction)
{
    uint8_t bytes[sizeof(instruction->bytes)];
    memcpy(bytes, instruction->bytes, sizeof(bytes));
    if (instruction->selector) {
        const uint16_t selector = segments_pick(random);
        memcpy(bytes + instruction->selector, &selector, sizeof(selector));
    }
    if (instruction->offset) {
        const uint32_t offset = (uint32_t)pick_target(random);
        memcpy(bytes + instruction->offset, &offset, sizeof(offset));
    }
    append(program, bytes, instruction->size);
    append_random(program, random, instruction->tail);
}

/// A few, most of them of one trick.
static void append_instructions(struct program *program, struct random *random, enum kind subject)
{
    for (uint64_t left = 1 + random_below(random, 8); left > 0; left--) {
        const bool changes = random_one_in(random, CHANGES_THE_SUBJECT);
        const struct trick *trick =
            &hostile_tricks[changes ? random_below(random, HOSTILE_TRICKS) : subject];
        append_instruction(program, random,
                           &trick->instructions[(random_next(random) >> 32) % trick->count]);
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

/// Whether what may begin at @code ends QEMU 7.2, as tests/faults/ud-more.asm shows: VPINSRW
/// without the prefix 66, with either VEX prefix, and VPERMILPS without VEX.
static bool ends_emulator(const uint8_t *code)
{
    return (code[0] == 0xC5 && (code[1] & 3) == 0 && code[2] == 0xC4) ||
           (code[0] == 0xC4 && (code[1] & 0x1F) == 1 && (code[2] & 3) == 0 && code[3] == 0xC4) ||
           (code[0] == 0x0F && code[1] == 0x38 && code[2] == 0x0C);
}

/// In code whose segment has a base a breakpoint ends it as well.
static void spare_emulator(struct program *program)
{
    if (program_is(program, KIND_LDT))
        program->kinds &= ~(1u << KIND_BREAKPOINT);
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
    program->start.cs = SELECTOR_USER_CODE;
    program->start.ss = SELECTOR_USER_DATA;
    program->kinds &= 1u << KIND_SPINS | 1u << KIND_KNOWS_KERNEL;
}

/// What the code is about.
static enum kind pick_kind(struct random *random)
{
    if (random_one_in(random, IS_SPIN))
        return KIND_SPINS;
    if (random_one_in(random, IS_BYTES))
        return KIND_BYTES;
    return (enum kind)random_below(random, HOSTILE_TRICKS);
}

void program_make(struct program *program, uint64_t seed, uint64_t number)
{
    struct random random = random_from(random_from(seed).state + number);
    memset(program, 0, sizeof(*program));
    const enum kind kind = pick_kind(&random);
    program_be(program, kind);
    start_pick(program, &random);
    program->random = random_from(random_next(&random));
    switch (kind) {
    case KIND_SPINS:
        make_spin(program, &random);
        break;
    case KIND_BYTES:
        append_random(program, &random, 1 + random_below(&random, 32));
        break;
    default:
        append_instructions(program, &random, kind);
        if (random_one_in(&random, IS_MUTATED))
            mutate(program, &random);
    }
    start_note_flags(program);
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
