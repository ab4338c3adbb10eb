// Running a catalogue entry: take over the exception vectors, run the code in its ring, hold each
// trap against its expectation, and put the machine right again.
#include "faults.h"

#include "apic.h"
#include "cpu.h"
#include "deviations.h"
#include "gdt.h"
#include "idt.h"
#include "paging.h"
#include "print.h"
#include "string.h"
#include "trap.h"
#include "x86.h"

#define EXCEPTIONS 32

// The pages of fault_pages.def and the unmapped ones behind them, by address.
static const uint64_t fault_pages[] = {
#define NOTE(text)
#define FAULT_PAGE(name, address, access) address, address + PAGE_SIZE,
#include "fault_pages.def"
#undef FAULT_PAGE
#undef NOTE
};

#define FAULT_PAGE_COUNT (sizeof(fault_pages) / sizeof(fault_pages[0]))

// tests/faults/tables.inc finds the TSS there.
_Static_assert(offsetof(struct cpu, tss) == 0, "CPU_BASE is the address of the TSS");

extern const struct fault faults_start[], faults_end[];
extern const struct expectation expectations_start[], expectations_end[];

// asm/user.asm
extern uint64_t ring3_call(uint64_t rip, uint64_t rsp, uint64_t rflags, void *kernel_rsp);
extern uint64_t ring0_call(uint64_t code, void *kernel_rsp);
extern const char ring_return[];

static const struct fault *running; ///< null while no entry's code runs
static struct outcome outcome;
static struct record last_trap;
static bool any_trap;

const struct fault *fault_first(void)
{
    return faults_start;
}

const struct fault *fault_end(void)
{
    return faults_end;
}

const struct fault *fault_find(const char *name)
{
    for (const struct fault *fault = faults_start; fault < faults_end; fault++)
        if (strcmp(fault->name, name) == 0)
            return fault;
    return NULL;
}

const struct expectation *fault_expectation(const struct fault *fault,
                                            const struct expectation *after)
{
    const struct expectation *next = after ? after + 1 : expectations_start;
    for (; next < expectations_end; next++)
        if (next->fault == fault)
            return next;
    return NULL;
}

/// The expectation of the trap that has number @number among those of @fault, or null.
static const struct expectation *expected_trap(const struct fault *fault, size_t number)
{
    const struct expectation *expected = NULL;
    while ((expected = fault_expectation(fault, expected)))
        if (!(expected->flags & EXPECT_INTERRUPTED) && number-- == 0)
            return expected;
    return NULL;
}

/// Make the frame return to the caller of ring0_call() or ring3_call(), with @result.
static void abandon(struct regs *regs, uint64_t result)
{
    regs->rax = result;
    regs->rip = (uint64_t)ring_return;
    regs->cs = SELECTOR_KERNEL_CODE;
    regs->rflags = RFLAGS_FIXED;
    regs->rsp = this_cpu()->tss.rsp[0];
    regs->ss = SELECTOR_KERNEL_DATA;
}

static void on_user_call(struct regs *regs)
{
    abandon(regs, regs->rax);
}

static void keep_trap(const struct regs *regs)
{
    record_take(&last_trap, regs);
    any_trap = true;
    if (outcome.count < TRAPS_LIMIT)
        outcome.traps[outcome.count] = last_trap;
    outcome.count++;
}

/// The handler of the vectors that an entry has taken over.
static void on_trap(struct regs *regs)
{
    const struct expectation *expected = running ? expected_trap(running, outcome.count) : NULL;
    keep_trap(regs);
    if (last_trap.origin == ORIGIN_IRQ && apic_in_service(regs->vector))
        apic_eoi();
    if (running == NULL)
        return;

    if (expected == NULL || expected->vector != regs->vector) {
        abandon(regs, 0);
        return;
    }
    if (expected->repair)
        expected->repair(regs);
    if (expected->then)
        regs->rip = expected->then;
    if (expected->flags & EXPECT_ABANDON)
        abandon(regs, 0);
}

/// State that an entry may change and that cannot be built anew.
struct machine {
    trap_fn *handlers[VECTOR_COUNT];
    uint64_t interrupts[VECTOR_COUNT];
    uint64_t pages[FAULT_PAGE_COUNT];
    uint64_t cr0, cr4, xcr0, efer, s_cet;
    uint32_t lvt_timer;
};

static bool expects_nmi(const struct fault *fault)
{
    const struct expectation *expected = NULL;
    while ((expected = fault_expectation(fault, expected)))
        if (expected->vector == VECTOR_NMI && !(expected->flags & EXPECT_INTERRUPTED))
            return true;
    return false;
}

/// Whether @vector is the entry's while it runs: the exceptions, and what no device has. An NMI
/// comes from outside, at any instruction: it is the entry's only if the entry expects one.
static bool is_taken_over(unsigned vector, trap_fn *handler)
{
    if (vector == VECTOR_NMI)
        return expects_nmi(running) || running->flags & FAULT_EVERY_VECTOR;
    return vector < EXCEPTIONS || handler == NULL || running->flags & FAULT_EVERY_VECTOR;
}

static void take_vectors(struct machine *machine)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        trap_fn *handler = trap_handler(vector, NULL);
        machine->interrupts[vector] = trap_count(vector);
        machine->handlers[vector] = handler;
        trap_handler(vector, is_taken_over(vector, handler) ? on_trap : handler);
    }
    if (!(running->flags & FAULT_EVERY_VECTOR))
        trap_handler(VECTOR_USER, on_user_call);
}

static void save(struct machine *machine)
{
    machine->cr0 = read_cr0();
    machine->cr4 = read_cr4();
    machine->efer = rdmsr(IA32_EFER);
    machine->lvt_timer = lapic_read(LAPIC_LVT_TIMER);
    machine->xcr0 = cpu_has(FEATURE_XSAVE) ? xgetbv(0) : 0;
    machine->s_cet = cpu_has(FEATURE_CET_IBT) ? rdmsr(IA32_S_CET) : 0;
    for (size_t i = 0; i < FAULT_PAGE_COUNT; i++)
        machine->pages[i] = *paging_entry((const void *)fault_pages[i]);
}

static void put_registers_right(const struct machine *machine)
{
    write_dr7(DR7_INIT);
    write_dr6(DR6_INIT);
    write_cr0(machine->cr0);
    write_cr4(machine->cr4);
    wrmsr(IA32_EFER, machine->efer);
    if (cpu_has(FEATURE_XSAVE))
        xsetbv(0, machine->xcr0);
    if (cpu_has(FEATURE_PKU))
        wrpkru(0);
    if (cpu_has(FEATURE_CET_IBT))
        wrmsr(IA32_S_CET, machine->s_cet);
}

static void put_pages_right(const struct machine *machine)
{
    for (size_t i = 0; i < FAULT_PAGE_COUNT; i++) {
        *paging_entry((const void *)fault_pages[i]) = machine->pages[i];
        invlpg((const void *)fault_pages[i]);
    }
}

/// Take every interrupt that is pending.
static void take_pending(void)
{
    for (uint32_t offset = LAPIC_IRR; offset < LAPIC_IRR + 8 * 16; offset += 16) {
        while (lapic_read(offset)) {
            sti_hlt();
            cli();
        }
    }
}

/// An entry that takes the devices' vectors, too, must not be disturbed by the one that ticks. The
/// timer stays periodic: a one-shot would be over when it is unmasked.
static void mask_timer(void)
{
    lapic_write(LAPIC_LVT_TIMER, lapic_read(LAPIC_LVT_TIMER) | LVT_MASKED);
    take_pending();
}

/// What an entry leaves pending is its fault, and must not reach the kernel's handlers.
static void put_interrupts_right(const struct machine *machine)
{
    lapic_write(LAPIC_TPR, 0);
    apic_eoi_all();
    take_pending();
    lapic_write(LAPIC_LVT_TIMER, machine->lvt_timer);
}

static void put_right(const struct machine *machine)
{
    put_registers_right(machine);
    put_pages_right(machine);
    gdt_init();
    idt_init();
    put_interrupts_right(machine);
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        trap_handler(vector, machine->handlers[vector]);
}

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// Keep the first reason only: what follows a difference is its consequence.
static void fail(const char *format, ...)
{
    if (outcome.verdict == FAIL)
        return;
    outcome.verdict = FAIL;
    va_list arguments;
    va_start(arguments, format);
    print_to_v(outcome.reason, sizeof(outcome.reason), format, arguments);
    va_end(arguments);
}

static void judge_frame(const struct record *seen, const struct expectation *expected)
{
    const struct regs *regs = &seen->regs;
    if (seen->address % 16 != 0)
        fail("the CPU's frame does not hang from an aligned top: regs at 0x%lx", seen->address);
    if (expected->flags & EXPECT_CS && regs->cs != expected->cs)
        fail("CS 0x%lx, not 0x%x", regs->cs, expected->cs);
    if (expected->flags & EXPECT_SS && regs->ss != expected->ss)
        fail("SS 0x%lx, not 0x%x", regs->ss, expected->ss);
    if (expected->flags & EXPECT_RSP && regs->rsp != expected->rsp)
        fail("RSP 0x%lx, not 0x%lx", regs->rsp, expected->rsp);
    if (~regs->rflags & expected->rflags_set)
        fail("RFLAGS 0x%lx without 0x%lx", regs->rflags, expected->rflags_set);
    if (regs->rflags & expected->rflags_clear)
        fail("RFLAGS 0x%lx with some of 0x%lx", regs->rflags, expected->rflags_clear);
    const struct stack *stack = cpu_stack(seen->address);
    if (expected->stack && (stack == NULL || stack->low != expected->stack))
        fail("on the %s", stack ? stack->name : "wrong stack");
}

/// The status bits of DR6: SDM vol. 3, 17.2.3.
static uint64_t dr6_causes(uint64_t dr6)
{
    return dr6 & (DR6_B0 | DR6_B1 | DR6_B2 | DR6_B3 | DR6_BD | DR6_BS | DR6_BT);
}

static void judge_trap(const struct record *seen, const struct expectation *expected)
{
    const struct regs *regs = &seen->regs;
    bool expects_code = expected->flags & EXPECT_CODE;
    if (regs->vector != expected->vector)
        fail("vector %u, not %u", regs->vector, expected->vector);
    if (seen->code_pushed != expects_code)
        fail("%s error code was pushed", expects_code ? "no" : "an");
    if (expects_code && regs->error_code != expected->error_code)
        fail("error code 0x%lx, not 0x%x", regs->error_code, expected->error_code);
    if (!expects_code && regs->error_code != 0)
        fail("the dummy code is 0x%lx, not 0", regs->error_code);
    if (!(expected->flags & EXPECT_ANYWHERE) && regs->rip != expected->rip)
        fail("RIP 0x%lx, not 0x%lx", regs->rip, expected->rip);
    if (expected->flags & EXPECT_CR2 && seen->cr2 != expected->cr2)
        fail("CR2 0x%lx, not 0x%lx", seen->cr2, expected->cr2);
    if (expected->flags & EXPECT_DR6 && dr6_causes(seen->dr6) != expected->dr6)
        fail("DR6 causes 0x%lx, not 0x%lx", dr6_causes(seen->dr6), expected->dr6);
    judge_frame(seen, expected);
}

static void judge(const struct fault *fault, const struct machine *before)
{
    size_t number = 0;
    const struct expectation *expected = NULL;
    while ((expected = fault_expectation(fault, expected))) {
        if (expected->flags & EXPECT_INTERRUPTED) {
            if (trap_count(expected->vector) == before->interrupts[expected->vector])
                fail("no interrupt of vector %u came", expected->vector);
        } else if (number < outcome.count) {
            judge_trap(&outcome.traps[number++], expected);
        } else {
            fail("no trap came, vector %u was due", expected->vector);
        }
    }
    if (outcome.count > number)
        fail("one trap too many: vector %u", outcome.traps[number].regs.vector);
    if (fault->flags & FAULT_FATAL)
        fail("the machine went on");
    if (outcome.result != 0)
        fail("the code found its state wrong: %lu", outcome.result);
}

static uint64_t call(const struct fault *fault)
{
    void *kernel_rsp = this_cpu()->tss.rsp;
    if (fault->prepare)
        fault->prepare();
    if (fault->ring == 0)
        return ring0_call(fault->code, kernel_rsp);
    return ring3_call(fault->code, USER_STACK_HIGH, fault->rflags, kernel_rsp);
}

static void run(const struct fault *fault)
{
    struct machine machine;
    cli();
    save(&machine);
    if (fault->flags & FAULT_EVERY_VECTOR)
        mask_timer();
    running = fault;
    take_vectors(&machine);
    write_dr6(DR6_INIT);
    outcome.result = call(fault);
    running = NULL;
    put_right(&machine);
    sti();
    judge(fault, &machine);
}

void fault_run_unhandled(const struct fault *fault)
{
    cli();
    call(fault);
}

const struct outcome *fault_run(const struct fault *fault)
{
    memset(&outcome, 0, sizeof(outcome));
    if (!cpu_has(fault->needs)) {
        outcome.verdict = SKIP;
        print_to(outcome.reason, sizeof(outcome.reason), "this CPU has no %s",
                 feature_name(fault->needs));
        return &outcome;
    }
    run(fault);
    const char *deviation = deviation_reason(fault->name);
    if (outcome.verdict == FAIL && deviation)
        outcome.verdict = KNOWN;
    return &outcome;
}

const struct record *fault_last_trap(void)
{
    return any_trap ? &last_trap : NULL;
}
