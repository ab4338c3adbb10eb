// Values for the witness's registers, and the comparison.
#include "storm/witness.h"

#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "trap/entry.h"
#include "trap/stacks.h"
#include "trap/tables.h"

// witness.asm
void witness_xmm(struct witness *witness);
void witness_ymm(struct witness *witness);
extern const char witness_user_xmm[], witness_user_ymm[];
extern const char witness_end[], witness_user_end[];

// What a program of either ring may set without a consequence.
#define FREE_FLAGS                                                                                 \
    (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_DF | RFLAGS_OF |           \
     RFLAGS_NT | RFLAGS_AC | RFLAGS_ID)

/// The registers that are compared, in the order of struct regs.
static const struct {
    const char *name;
    size_t offset;
} compared[] = {
#define REGISTER(name)                                                                             \
    {                                                                                              \
#name, offsetof(struct regs, name)                                                         \
    }
    REGISTER(r15), REGISTER(r14), REGISTER(r13), REGISTER(r12), REGISTER(r11),    REGISTER(r10),
    REGISTER(r9),  REGISTER(r8),  REGISTER(rbp), REGISTER(rdi), REGISTER(rsi),    REGISTER(rbx),
    REGISTER(rdx), REGISTER(rcx), REGISTER(rax), REGISTER(rsp), REGISTER(rflags),
#undef REGISTER
};

/// The quadwords of a vector register that the CPU has.
static size_t vector_words(void)
{
    return cpu_has(FEATURE_AVX) ? 4 : 2;
}

void witness_fill(struct witness *witness, struct random *random, uint64_t touched, uint64_t rflags)
{
    struct state *due = &witness->due;
    for (uint64_t *word = &due->regs.r15; word <= &due->regs.rax; word++)
        *word = random_next(random);
    due->regs.rbx = touched;
    due->regs.rflags = RFLAGS_FIXED | rflags | (random_next(random) & FREE_FLAGS);
    for (size_t i = 0; i < VECTOR_REGISTERS; i++)
        for (size_t word = 0; word < vector_words(); word++)
            due->vectors[i][word] = random_next(random);
}

void witness_run(struct witness *witness)
{
    if (cpu_has(FEATURE_AVX))
        witness_ymm(witness);
    else
        witness_xmm(witness);
}

void witness_run_user(uint64_t address, uint64_t rflags)
{
    const char *code = cpu_has(FEATURE_AVX) ? witness_user_ymm : witness_user_xmm;
    uint64_t stack = address + WITNESS_PAGE - sizeof(uint64_t);

    // A witness of ring 3 that was interrupted needs its own RSP0 again.
    uint64_t *rsp0 = tables_rsp0();
    uint64_t before = *rsp0;
    ring3_call((uint64_t)code, stack, RFLAGS_FIXED | rflags, rsp0);
    *rsp0 = before;
}

static uint64_t value(const struct state *state, size_t number)
{
    return *(const uint64_t *)((const char *)&state->regs + compared[number].offset);
}

bool witness_is_right(const struct witness *witness, struct difference *difference)
{
    const struct state *due = &witness->due, *seen = &witness->seen;
    for (size_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++) {
        if (value(seen, i) == value(due, i))
            continue;
        *difference = (struct difference){compared[i].name, -1, value(seen, i), value(due, i)};
        return false;
    }
    for (size_t i = 0; i < VECTOR_REGISTERS; i++) {
        for (size_t word = 0; word < vector_words(); word++) {
            if (seen->vectors[i][word] == due->vectors[i][word])
                continue;
            *difference = (struct difference){word < 2 ? "xmm" : "ymm", (int)i,
                                              seen->vectors[i][word], due->vectors[i][word]};
            return false;
        }
    }
    return true;
}

bool witness_is_at(uint64_t rip)
{
    return (rip >= (uint64_t)witness_xmm && rip < (uint64_t)witness_end) ||
           (rip >= (uint64_t)witness_user_xmm && rip < (uint64_t)witness_user_end);
}
