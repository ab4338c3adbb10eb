// The ring 3 entries of the catalogue as a Linux process may run them: the very objects that the
// kernel links, on the host's own CPU. Prints the lines that the monitor's `raise` prints for
// programs; tests/machines/test_native.py holds them against each other.
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "faults/deviations.h"
#include "faults/program_lines.h"
#include "lib/print.h"
#include "native.h"

/// What a person's own entries say of the CPU themselves.
extern const struct deviation deviations_start[], deviations_end[];

/// The row of @fault for this machine behind @after (null: the first), or null.
static const struct deviation *deviation_after(const struct fault *fault,
                                               const struct deviation *after)
{
    const struct deviation *row = after ? after + 1 : deviations_start;
    for (; row < deviations_end; row++)
        if (strcmp(row->name, fault->name) == 0 && strcmp(row->emulator, "silicon") == 0)
            return row;
    return NULL;
}

/// Where print() hands its text to.
static void write_out(const char *text, size_t length)
{
    fwrite(text, 1, length, stdout);
}

static void print_result(const struct fault *fault, const struct native_outcome *outcome,
                         int status)
{
    print("result: name=%s ", fault->name);
    if (outcome->unsupported)
        print("skip %s\n", outcome->unsupported);
    else if (outcome->result)
        print("fail the code found its state wrong: %lu\n", outcome->result);
    else if (!outcome->ended)
        print("fail the process died by signal %d\n", WTERMSIG(status));
    else
        print("pass\n");
}

static void print_override(const struct override *override)
{
    static const char *const names[] = {
        [FIELD_VECTOR] = "vector",
        [FIELD_ERROR] = "error",
        [FIELD_RIP] = "rip",
        [FIELD_CS] = "cs",
        [FIELD_SS] = "ss",
        [FIELD_RSP] = "rsp",
        [FIELD_CR2] = "cr2",
        [FIELD_DR6] = "dr6",
        [FIELD_RFLAGS_SET] = "rflags_set",
        [FIELD_RFLAGS_CLEAR] = "rflags_clear",
    };
    print("override: trap=%u %s=", override->trap, names[override->field]);
    if (override->kind == OVERRIDE_VALUE)
        print("0x%lx\n", override->value);
    else
        print("%s\n", override->kind == OVERRIDE_ANY ? "any" : "none");
}

static void print_deviations(const struct fault *fault)
{
    const struct deviation *row = NULL;
    while ((row = deviation_after(fault, row))) {
        print("deviates: traps=%u reason=%s\n", row->trap_count, row->reason);
        for (unsigned i = 0; i < row->override_count; i++)
            print_override(&row->overrides[i]);
    }
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
    const struct deviation *row = NULL;
    while ((row = deviation_after(fault, row)))
        if (row->is_unsafe)
            return "its own file says that it is unsafe";
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
        expect_line_print(fault, expected);
    print_deviations(fault);
    for (size_t i = 0; i < outcome->count && i < TRAPS_LIMIT; i++)
        trap_line_print(&outcome->traps[i], fault->name, fault_expected_trap(fault, i));
    print_result(fault, outcome, status);
}

int main(void)
{
    struct native_outcome *outcome =
        mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcome == MAP_FAILED)
        return EXIT_FAILURE;
    print_init(write_out);
    for (const struct fault *fault = fault_first(); fault < fault_end(); fault++)
        if (fault->ring == 3)
            run(fault, outcome);
    return EXIT_SUCCESS;
}
