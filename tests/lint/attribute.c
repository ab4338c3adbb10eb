// Handlers by the compilers' own attribute: nothing is wrong with them.
#include <stdint.h>

struct frame {
    uint64_t rip, cs, rflags, rsp, ss;
};

void report(struct frame *frame, uint64_t code);
__attribute__((no_caller_saved_registers)) void gentle(struct frame *frame);

uint64_t ticks;

__attribute__((interrupt)) void divide_error_handler(struct frame *frame)
{
    report(frame, 0);
}

__attribute__((interrupt)) void breakpoint_handler(struct frame *frame)
{
    ticks += frame->rip;
}

__attribute__((interrupt)) void page_fault_handler(struct frame *frame, uint64_t code)
{
    ticks += frame->rip + code;
}

__attribute__((interrupt)) void timer_interrupt_handler(struct frame *frame)
{
    gentle(frame);
}

#ifdef CALLS
__attribute__((interrupt)) void double_fault_handler(struct frame *frame, uint64_t code)
{
    report(frame, code);
}
#endif

#ifdef WRONG_PARAMETERS
// Each is declared as the other should be.
__attribute__((interrupt)) void general_protection_handler(struct frame *frame)
{
    report(frame, 0);
}

__attribute__((interrupt)) void overflow_handler(struct frame *frame, uint64_t code)
{
    report(frame, code);
}
#endif
