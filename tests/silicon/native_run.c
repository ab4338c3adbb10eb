// Running one entry in this process: its traps arrive as signals, whose context has what the CPU
// pushed. The signal handler does what on_trap() of kernel/faults/faults.c does.
//
// An entry may load FS, so that nothing here may use the C library's thread-local data once the
// code runs: the outcome goes into shared memory, and the process ends by a bare system call.
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "cpu/layout.h"
#include "native.h"

#define SIGNAL_STACK_SIZE 65536
#define TIME_LIMIT        5 // seconds

static const struct fault *running;
static struct native_outcome *outcome;

/// What the process is about when a signal comes.
static enum { PREPARING, ENTERING, RUNNING, REPAIRING } phase;

static _Noreturn void leave(void)
{
    for (;;)
        __asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(0) : "rcx", "r11", "memory");
}

static _Noreturn void give_up(const char *reason)
{
    outcome->unsupported = reason;
    leave();
}

/// CS and SS lie in one slot: arch/x86/include/uapi/asm/sigcontext.h.
static uint16_t saved_cs(const mcontext_t *context)
{
    return (uint16_t)context->gregs[REG_CSGSFS];
}

static uint16_t saved_ss(const mcontext_t *context)
{
    return (uint16_t)(context->gregs[REG_CSGSFS] >> 48);
}

/// A selector in it as a kernel selector.
static uint64_t error_code(const mcontext_t *context)
{
    uint64_t code = (uint64_t)context->gregs[REG_ERR];
    switch (context->gregs[REG_TRAPNO]) {
    case VECTOR_NP:
    case VECTOR_SS:
    case VECTOR_GP:
        return native_selector((uint16_t)code);
    }
    return code;
}

#define REGISTERS(copy)                                                                            \
    copy(r15, R15) copy(r14, R14) copy(r13, R13) copy(r12, R12) copy(r11, R11) copy(r10, R10)      \
        copy(r9, R9) copy(r8, R8) copy(rbp, RBP) copy(rdi, RDI) copy(rsi, RSI) copy(rbx, RBX)      \
            copy(rdx, RDX) copy(rcx, RCX) copy(rax, RAX) copy(rip, RIP) copy(rflags, EFL)          \
                copy(rsp, RSP)

/// The context as the kernel has it on its stack, with the kernel's selectors.
static struct regs regs_of(const mcontext_t *context)
{
    struct regs regs = {.vector = (uint32_t)context->gregs[REG_TRAPNO],
                        .error_code = error_code(context),
                        .cs = native_selector(saved_cs(context)),
                        .ss = native_selector(saved_ss(context))};
#define TO_REGS(field, name) regs.field = (uint64_t)context->gregs[REG_##name];
    REGISTERS(TO_REGS)
#undef TO_REGS
    return regs;
}

/// Linux tells of DR6 only whether BS was set, as the signal's code.
static struct record take(const siginfo_t *signal, const mcontext_t *context)
{
    const struct vector_info *info = vector_info((unsigned)context->gregs[REG_TRAPNO]);
    return (struct record){
        .regs = regs_of(context),
        .cr2 = (uint64_t)context->gregs[REG_CR2],
        .dr6 = signal->si_signo == SIGTRAP && signal->si_code == TRAP_TRACE ? DR6_BS : 0,
        .origin = ORIGIN_UNKNOWN,
        .code_pushed = info && info->has_error_code,
    };
}

/// Let the entry's own routine change the frame, as it does in the kernel.
static void repair(void (*routine)(struct regs *regs), mcontext_t *context)
{
    struct regs regs = regs_of(context);
    phase = REPAIRING;
    routine(&regs);
    if (!native_carry_out())
        give_up("Linux does not change the page as its handler does");
    phase = RUNNING;
#define FROM_REGS(field, name) context->gregs[REG_##name] = (greg_t)regs.field;
    REGISTERS(FROM_REGS)
#undef FROM_REGS
}

static void enter(mcontext_t *context)
{
    phase = RUNNING;
    context->gregs[REG_RIP] = (greg_t)running->code;
    context->gregs[REG_RSP] = USER_STACK_HIGH;
    context->gregs[REG_EFL] = (greg_t)(running->rflags & ~(uint64_t)RFLAGS_IOPL);
}

static void on_trap(const siginfo_t *signal, mcontext_t *context)
{
    const struct expectation *expected = fault_expected_trap(running, outcome->count);
    struct record trap = take(signal, context);
    if (outcome->count < TRAPS_LIMIT)
        outcome->traps[outcome->count] = trap;
    outcome->count++;
    if (expected == NULL || expected->vector != trap.regs.vector ||
        expected->flags & EXPECT_ABANDON) {
        outcome->ended = true;
        leave();
    }
    if (expected->repair)
        repair(expected->repair, context);
    if (expected->then)
        context->gregs[REG_RIP] = (greg_t)expected->then;
}

static void on_signal(int number, siginfo_t *signal, void *argument)
{
    // Linux leaves AC as it was, and the compiler may access memory unaligned.
    __asm__ volatile("pushfq\n\tandl %0, (%%rsp)\n\tpopfq" : : "i"(~RFLAGS_AC) : "memory", "cc");
    mcontext_t *context = &((ucontext_t *)argument)->uc_mcontext;
    (void)number;
    switch (phase) {
    case PREPARING:
    case REPAIRING:
        if (native_emulate((uint64_t *)&context->gregs[REG_RIP], (uint64_t)context->gregs[REG_RDX]))
            return;
        give_up(phase == PREPARING ? "its preparation needs ring 0" : "its handler needs ring 0");
    case ENTERING:
        enter(context);
        return;
    case RUNNING:
        break;
    }
    if (native_is_end((uint64_t)context->gregs[REG_RIP])) {
        outcome->result = (uint64_t)context->gregs[REG_RAX];
        outcome->ended = true;
        leave();
    }
    on_trap(signal, context);
}

static void catch_signals(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    static uint8_t stack[SIGNAL_STACK_SIZE];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    if (sigaltstack(&alternate, NULL) != 0)
        abort();
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (sigaction(signals[i], &action, NULL) != 0)
            abort();
}

void native_run(const struct fault *fault, struct native_outcome *shared)
{
    running = fault;
    outcome = shared;
    alarm(TIME_LIMIT);
    catch_signals();
    native_world_init();
    phase = PREPARING;
    if (fault->prepare)
        fault->prepare();
    if (!native_carry_out())
        give_up("Linux does not change the page as its preparation does");
    phase = ENTERING;
    __builtin_trap(); // on_signal() makes it the jump to the entry's code
}
