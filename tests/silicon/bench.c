// The bench: what a path costs from the first instruction of the stub to the one after IRETQ.
// Usage: bench ROUNDS SEED. Prints for scripts/bench, with an empty line between: facts about the
// machine and the clock; the instructions of each path; a line for each round with the core cycles
// of one interrupt through each.
//
// In a round every path runs once, in an order of its own, so that what disturbs the machine hits
// all alike and differences within a round mean something. The loops are as long as the clock's
// granularity asks for: on some CPUs the TSC moves in steps of dozens of ticks.
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ucontext.h>
#include <x86intrin.h>

#include "deliver.h"
#include "lib/random.h"

#define READINGS      1001 // of the clock, for its granularity
#define WARM_UP       30
#define INTERRUPTS    20   // timed for each tick of granularity, which blurs 0.05 ticks of each
#define CHAIN_CYCLES  1000 // likewise
#define CHAIN_REPEATS 5
#define STACK_SIZE    16384
#define RFLAGS_TF     (1 << 8)

#define CPUID_HYPERVISOR      (1u << 31) // of leaf 1, ECX: reserved for software to say so
#define CPUID_HYPERVISOR_LEAF 0x40000000

// PATH(name): the symbols name_none and name_code. scripts/bench writes the list.
#define PATH(name) extern const char name##_none[], name##_code[];
#include "paths.def"
#undef PATH

static const struct path {
    const char *name, *stub;
    bool with_code;
} paths[] = {
#define PATH(name) {#name " none", name##_none, false}, {#name " code", name##_code, true},
#include "paths.def"
#undef PATH
};

#define PATH_COUNT (sizeof(paths) / sizeof(paths[0]))

static char stack[STACK_SIZE] __attribute__((aligned(4096)));
static volatile unsigned long calls;
static unsigned instructions;

/// What every path calls. Its section lets count_instruction() tell it from the path.
__attribute__((section("opaque"))) void trap_dispatch(void *frame)
{
    (void)frame;
    calls++;
}

static void count_instruction(int number, siginfo_t *info, void *context)
{
    extern const char __start_opaque[], __stop_opaque[];
    (void)number, (void)info;
    const ucontext_t *machine = context;
    const char *rip = (const char *)machine->uc_mcontext.gregs[REG_RIP];
    bool in_opaque = rip >= __start_opaque && rip < __stop_opaque;
    bool in_deliver = rip >= (const char *)deliver && rip < deliver_end;
    bool on_its_stack = machine->uc_mcontext.gregs[REG_RSP] - (unsigned long)stack < STACK_SIZE;
    if (on_its_stack && !in_opaque && !in_deliver)
        instructions++;
}

/// One interrupt by single steps: deliver() pushes TF on, and IRETQ keeps it.
static unsigned count_instructions(const struct path *path)
{
    instructions = 0;
    __writeeflags(__readeflags() | RFLAGS_TF);
    deliver(path->stub, 1, path->with_code, stack + STACK_SIZE / 2);
    __writeeflags(__readeflags() & ~(unsigned long long)RFLAGS_TF);
    return instructions;
}

static void print_instructions(void)
{
    static char signal_stack[65536];
    sigaltstack(&(stack_t){.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)}, NULL);
    struct sigaction action = {.sa_sigaction = count_instruction,
                               .sa_flags = SA_ONSTACK | SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    for (size_t i = 0; i < PATH_COUNT; i++)
        printf("%s %u\n", paths[i].name, count_instructions(&paths[i]));
}

static int compare_ticks(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/// What two readings of the TSC usually differ by if they differ: a step of it, or as long as a
/// reading takes.
static uint64_t measure_granularity(void)
{
    static uint64_t steps[READINGS];
    for (unsigned i = 0; i < READINGS;) {
        uint64_t start = __rdtsc();
        steps[i] = __rdtsc() - start;
        i += steps[i] != 0;
    }
    qsort(steps, READINGS, sizeof(*steps), compare_ticks);
    return steps[READINGS / 2];
}

static void print_facts(uint64_t granularity)
{
    unsigned eax, ebx, ecx, edx;
    printf("granularity %lu\n", granularity);
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & CPUID_HYPERVISOR) {
        char name[13] = "";
        __cpuid(CPUID_HYPERVISOR_LEAF, eax, ebx, ecx, edx);
        memcpy(name, (unsigned[]){ebx, ecx, edx}, 12);
        printf("hypervisor %s\n", name);
    }
}

/// Ticks of the TSC in a cycle of the core's clock: the least of a few tries, which nothing has
/// interrupted.
static double ticks_per_cycle(uint64_t granularity)
{
    uint64_t cycles = granularity * CHAIN_CYCLES;
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < CHAIN_REPEATS; i++) {
        uint64_t start = __rdtsc();
        dependent_chain(cycles);
        uint64_t ticks = __rdtsc() - start;
        least = ticks < least ? ticks : least;
    }
    return (double)least / cycles;
}

static double ticks_per_interrupt(const struct path *path, void *rsp, uint64_t granularity)
{
    uint64_t interrupts = granularity * INTERRUPTS;
    deliver(path->stub, WARM_UP, path->with_code, rsp);
    _mm_lfence();
    uint64_t start = __rdtsc();
    deliver(path->stub, interrupts, path->with_code, rsp);
    _mm_lfence();
    return (double)(__rdtsc() - start) / interrupts;
}

static void shuffle(size_t *order, struct random *random)
{
    for (size_t i = PATH_COUNT - 1; i > 0; i--) {
        size_t other = random_next(random) % (i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

static void print_round(size_t *order, struct random *random, uint64_t granularity)
{
    double cycles[PATH_COUNT];
    // Where the stack lies decides which loads look like hits of earlier stores 4 KiB away.
    void *rsp = stack + STACK_SIZE / 2 + random_below(random, 256) * 16;
    double ticks = ticks_per_cycle(granularity);
    shuffle(order, random);
    for (size_t i = 0; i < PATH_COUNT; i++)
        cycles[order[i]] = ticks_per_interrupt(&paths[order[i]], rsp, granularity) / ticks;
    for (size_t i = 0; i < PATH_COUNT; i++)
        printf("%.3f%c", cycles[i], i + 1 < PATH_COUNT ? ' ' : '\n');
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench ROUNDS SEED\n");
        return 2;
    }
    struct random random = random_from(strtoull(argv[2], NULL, 0));
    size_t order[PATH_COUNT];
    for (size_t i = 0; i < PATH_COUNT; i++)
        order[i] = i;
    uint64_t granularity = measure_granularity();
    print_facts(granularity);
    putchar('\n');
    print_instructions();
    putchar('\n');
    for (long round = atol(argv[1]); round > 0; round--)
        print_round(order, &random, granularity);
    return 0;
}
