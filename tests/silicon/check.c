// The contract of the interrupt path, point by point.
#include "check.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "extended.h"
#include "trampoline.h"

#define RFLAGS_DF (1 << 10)

/// How far around the frame the stack is looked at.
#define SURROUNDINGS 256

struct slot {
    const char *name;
    size_t offset, size; ///< in struct regs
};

#define PLACE(field) offsetof(struct regs, field), sizeof(((struct regs *)0)->field)
// clang-format off
#define SLOT(field) {#field, PLACE(field)}
// clang-format on

static const struct slot registers[] = {
    SLOT(rax), SLOT(rcx), SLOT(rdx), SLOT(rbx), SLOT(rsi),    SLOT(rdi),
    SLOT(rbp), SLOT(r8),  SLOT(r9),  SLOT(r10), SLOT(r11),    SLOT(r12),
    SLOT(r13), SLOT(r14), SLOT(r15), SLOT(rip), SLOT(rflags), SLOT(rsp),
};
static const struct slot pushed[] = {
    SLOT(vector), SLOT(slot_opened), SLOT(error_code), SLOT(cs), SLOT(ss),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_right; // of the event that is being checked

__attribute__((format(printf, 1, 2))) static void wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("  ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    is_right = false;
}

static uint64_t get(const struct regs *regs, const struct slot *slot)
{
    const char *at = (const char *)regs + slot->offset;
    return slot->size == 4 ? *(const uint32_t *)at : *(const uint64_t *)at;
}

static void compare(const char *when, const struct regs *seen, const struct regs *right,
                    const struct slot *slots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t is = get(seen, &slots[i]), should_be = get(right, &slots[i]);
        if (is != should_be)
            wrong("%s %s is 0x%llx, not 0x%llx", when, slots[i].name, (unsigned long long)is,
                  (unsigned long long)should_be);
    }
}

/// The System V ABI, 3.2.2 and 3.2.3, and what kernel/report/backtrace.c relies on.
static void check_call(void)
{
    const struct call *call = &trampoline_call;
    if (call->rsp == 0) {
        wrong("trap_dispatch was not called");
        return;
    }
    if ((call->rsp + 8) % 16 != 0)
        wrong("RSP mod 16 = %u at the call of trap_dispatch, not 0",
              (unsigned)(call->rsp + 8) % 16);
    if (call->rflags & RFLAGS_DF)
        wrong("DF is set at the call of trap_dispatch");
    if (call->rbp != trampoline_regs)
        wrong("RBP is not the struct regs at the call: a backtrace would end there");
    if (call->rdi != trampoline_regs)
        wrong("the argument is %+lld bytes off the struct regs",
              (long long)(call->rdi - trampoline_regs));
}

static void check_untouched(uint64_t from, uint64_t to, uint64_t top)
{
    for (const uint64_t *at = (const uint64_t *)from; at < (const uint64_t *)to; at++)
        if (*at != STACK_FILL)
            wrong("8 bytes outside the frame were written, at %+lld from its top",
                  (long long)((uint64_t)at - top));
}

/// Above the frame lies the interrupted program's stack; below RSP at the call lies nothing.
static void check_stack(const struct event *event)
{
    uint64_t low = trampoline_call.rsp;
    check_untouched(low - SURROUNDINGS, low, event->top);
    check_untouched(event->top, event->top + SURROUNDINGS, event->top);
    event_stack_clean(low - SURROUNDINGS, event->top + SURROUNDINGS);
}

bool check_dispatch(const struct event *event)
{
    is_right = true;
    check_call();
    if (trampoline_call.rdi == trampoline_regs) {
        compare("struct regs:", &trampoline_seen, &event->program, registers, COUNT(registers));
        compare("struct regs:", &trampoline_seen, &event->program, pushed, COUNT(pushed));
    }
    return is_right;
}

bool check_event(const struct event *event)
{
    if (!check_dispatch(event))
        return false;
    compare("after the return", &trampoline_after, &event->resumed, registers, COUNT(registers));
    if (!extended_is_unchanged(event->extended))
        wrong("after the return a vector, mask or x87 register is not what it was");
    check_stack(event);
    return is_right;
}
