// The ring 3 entries of the catalogue as a Linux process may run them: the very objects that the
// kernel links, on the host's own CPU. Prints the lines that the monitor's `raise` prints for
// programs; tests/test_native.py holds them against each other.
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "native.h"

static bool pushes_code(uint64_t vector)
{
    switch (vector) {
#define NOTE(text)
#define NONE false
#define CODE true
#define VECTOR(number, mnemonic, name, class, code, ist)                                           \
    case number:                                                                                   \
        return code;
#include "trap/vectors.def"
#undef VECTOR
#undef CODE
#undef NONE
#undef NOTE
    }
    return false;
}

static void print_expected(const struct fault *fault, const struct expectation *expected)
{
    printf("expect: name=%s ring=%u vector=%u", fault->name, fault->ring, expected->vector);
    if (expected->flags & EXPECT_INTERRUPTED) {
        printf(" interrupted=1\n");
        return;
    }
    if (expected->flags & EXPECT_UNDELIVERED) {
        printf(" undelivered=1\n");
        return;
    }
    if (expected->flags & EXPECT_CODE)
        printf(" error=0x%x", expected->error_code);
    else
        printf(" error=none");
    if (!(expected->flags & EXPECT_ANYWHERE))
        printf(" rip=0x%lx", expected->rip);
    if (expected->flags & EXPECT_CR2)
        printf(" cr2=0x%lx", expected->cr2);
    if (expected->flags & EXPECT_DR6)
        printf(" dr6=0x%lx", expected->dr6);
    if (expected->flags & EXPECT_CS)
        printf(" cs=0x%x", expected->cs);
    if (expected->flags & EXPECT_SS)
        printf(" ss=0x%x", expected->ss);
    if (expected->flags & EXPECT_RSP)
        printf(" rsp=0x%lx", expected->rsp);
    if (expected->rflags_set)
        printf(" rflags_set=0x%lx", expected->rflags_set);
    if (expected->rflags_clear)
        printf(" rflags_clear=0x%lx", expected->rflags_clear);
    struct expected_register due;
    for (unsigned i = 0; expected_register(expected, i, &due); i++)
        printf(" %s=0x%lx", due.name, due.value);
    printf("\n");
}

static void print_trap(const struct fault *fault, const struct native_trap *trap,
                       const struct expectation *expected)
{
    const struct regs *regs = &trap->regs;
    printf("trap: name=%s vector=%lu error=", fault->name, trap->vector);
    printf(pushes_code(trap->vector) ? "0x%lx" : "none", trap->error_code);
    printf(" rip=0x%lx cs=0x%lx rflags=0x%lx rsp=0x%lx ss=0x%lx", regs->rip, regs->cs, regs->rflags,
           regs->rsp, regs->ss);
    if (trap->vector == VECTOR_PF)
        printf(" cr2=0x%lx", trap->cr2);
    if (trap->vector == VECTOR_DB)
        printf(" dr6=0x%lx", trap->dr6);
    struct expected_register due;
    for (unsigned i = 0; expected && expected_register(expected, i, &due); i++)
        printf(" %s=0x%lx", due.name, ((const uint64_t *)regs)[due.place]);
    printf("\n");
}

static void print_result(const struct fault *fault, const struct native_outcome *outcome,
                         int status)
{
    printf("result: name=%s ", fault->name);
    if (outcome->unsupported)
        printf("skip %s\n", outcome->unsupported);
    else if (outcome->result)
        printf("fail the code found its state wrong: %lu\n", outcome->result);
    else if (!outcome->ended)
        printf("fail the process died by signal %d\n", WTERMSIG(status));
    else
        printf("pass\n");
}

static bool has_feature(uint32_t feature)
{
    uint32_t eax, ebx, ecx, edx;
    switch (feature) {
#define FEATURE(name, leaf, subleaf, output, bit)                                                  \
    case FEATURE_##name:                                                                           \
        return __get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx) && output >> (bit)&1;
#include "cpu/features.def"
#undef FEATURE
    }
    return feature == FEATURE_ALWAYS;
}

/// What can be told without running it.
static const char *unsupported(const struct fault *fault)
{
    if (!has_feature(fault->needs))
        return "this CPU lacks the feature";
    if (fault->rflags & RFLAGS_IOPL)
        return "a process has no I/O privilege";
    if (fault->flags & FAULT_FATAL)
        return "a process cannot make the machine reset";
    const struct expectation *expected = NULL;
    while ((expected = fault_expectation(fault, expected)))
        if (expected->flags & EXPECT_INTERRUPTED)
            return "a process does not see interrupts";
    return NULL;
}

static void run(const struct fault *fault, struct native_outcome *outcome)
{
    int status = 0;
    memset(outcome, 0, sizeof(*outcome));
    outcome->unsupported = unsupported(fault);
    if (!outcome->unsupported) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0)
            native_run(fault, outcome);
        waitpid(child, &status, 0);
    }
    const struct expectation *expected = NULL;
    while ((expected = fault_expectation(fault, expected)))
        print_expected(fault, expected);
    for (size_t i = 0; i < outcome->count && i < TRAPS_LIMIT; i++)
        print_trap(fault, &outcome->traps[i], fault_expected_trap(fault, i));
    print_result(fault, outcome, status);
}

int main(void)
{
    struct native_outcome *outcome =
        mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcome == MAP_FAILED)
        return EXIT_FAILURE;
    for (const struct fault *fault = fault_first(); fault < fault_end(); fault++)
        if (fault->ring == 3)
            run(fault, outcome);
    return EXIT_SUCCESS;
}
