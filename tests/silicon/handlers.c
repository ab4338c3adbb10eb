// The handlers that GCC and Clang make out of their interrupt attribute, for the bench and for
// `make compare`. No file of the kernel does it like this.
#include <stdint.h>

struct interrupt_frame {
    uint64_t rip, cs, rflags, rsp, ss;
};

void trap_dispatch(void *frame);

__attribute__((interrupt)) void none(struct interrupt_frame *frame)
{
    trap_dispatch(frame);
}

__attribute__((interrupt)) void code(struct interrupt_frame *frame, uint64_t error_code)
{
    (void)error_code;
    trap_dispatch(frame);
}
