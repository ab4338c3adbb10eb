// The fuzzer: random interrupts through the kernel's own stubs on the real CPU.
// Usage: fuzz SEED N. Interrupt i is made of the seed SEED + i, so any one can be had alone.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "check.h"
#include "event.h"
#include "extended.h"

#define PROGRESS_EVERY   (1 << 21)
#define HANG_SECONDS     5
#define SIGNAL_STACK     65536
#define DESCRIPTION_SIZE 120
#define STUBS_SIZE       4096
#define ENTRY_SIZE_LIMIT 512

static struct event event;

static void report_event(void)
{
    char text[DESCRIPTION_SIZE];
    event_describe(&event, text, sizeof(text));
    printf("  in the interrupt of %s\n", text);
    printf("  again with: make fuzz SEED=0x%llx N=1\n", (unsigned long long)event.seed);
    fflush(stdout);
}

static void print_place(uint64_t rip)
{
    extern const char isr_0_DE[], trap_entry[];
    uint64_t in_stubs = rip - (uint64_t)isr_0_DE, in_entry = rip - (uint64_t)trap_entry;
    printf("RIP 0x%llx", (unsigned long long)rip);
    if (in_stubs < STUBS_SIZE)
        printf(", isr_0_DE + 0x%llx", (unsigned long long)in_stubs);
    else if (in_entry < ENTRY_SIZE_LIMIT)
        printf(", trap_entry + 0x%llx", (unsigned long long)in_entry);
}

/// A fault of the path, or a path that never comes back.
static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)info;
    // The path may have left anything in the flags, and libc must not run with AC.
    __writeeflags(2);
    const ucontext_t *machine = context;
    const greg_t *registers = machine->uc_mcontext.gregs;
    printf("\nwrong: %s at ", number == SIGVTALRM ? "still running" : strsignal(number));
    print_place(registers[REG_RIP]);
    printf(", RSP 0x%llx\n", (unsigned long long)registers[REG_RSP]);
    check_dispatch(&event);
    report_event();
    _exit(1);
}

static void catch_signals(void)
{
    static char stack[SIGNAL_STACK];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_ONSTACK | SA_SIGINFO};
    const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGVTALRM};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
}

static uint64_t now_microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void print_progress(uint64_t done, uint64_t all, uint64_t start)
{
    uint64_t elapsed = now_microseconds() - start;
    uint64_t rate = elapsed ? done * 1000000 / elapsed : 0;
    printf("%sfuzz: %llu of %llu interrupts, %llu a second%s", isatty(1) ? "\r" : "",
           (unsigned long long)done, (unsigned long long)all, (unsigned long long)rate,
           isatty(1) && done < all ? "   " : "\n");
    fflush(stdout);
}

/// In the process's own time: a busy machine is no hang.
static void watch_for_hang(void)
{
    const struct itimerval limit = {.it_value = {.tv_sec = HANG_SECONDS}};
    setitimer(ITIMER_VIRTUAL, &limit, NULL);
}

static int fuzz(uint64_t seed, uint64_t count)
{
    uint64_t start = now_microseconds();
    for (uint64_t i = 0; i < count; i++) {
        if (i % PROGRESS_EVERY == 0) {
            watch_for_hang();
            if (i > 0)
                print_progress(i, count, start);
        }
        event_make(&event, seed + i);
        event_raise(&event);
        if (!check_event(&event)) {
            report_event();
            return 1;
        }
    }
    print_progress(count, count, start);
    return 0;
}

/// Read @text, the option @name: a number, also in hexadecimal, from @low on.
static uint64_t number(const char *name, const char *text, uint64_t low)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    if (*text < '0' || *text > '9' || *end || errno || value < low) {
        fprintf(stderr, "fuzz: %s is a number from %llu to 2^64-1, not \"%s\".\n", name,
                (unsigned long long)low, text);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: fuzz SEED N\n");
        return 2;
    }
    uint64_t seed = number("SEED", argv[1], 0), count = number("N", argv[2], 1);
    if (!extended_init()) {
        fprintf(stderr, "fuzz: this CPU has no XSAVE\n");
        return 2;
    }
    catch_signals();
    event_stack_init();
    printf("fuzz: SEED=0x%llx N=%llu, with %s\n", (unsigned long long)seed,
           (unsigned long long)count, extended_name());
    fflush(stdout);
    return fuzz(seed, count);
}
