// Shows what each interrupt path does to the C function that it calls: for `make compare`.
// For every path and kind it prints RSP mod 16 at the call; scripts/compare stops it in GDB at
// trap_dispatch() to see what a backtrace makes of the place.
#include <stdio.h>

#include "deliver.h"

#define STACK_SIZE 16384

// PATH(name): the symbols name_none and name_code. scripts/compare writes the list.
#define PATH(name) extern const char name##_none[], name##_code[];
#include "paths.def"
#undef PATH

static char stack[STACK_SIZE] __attribute__((aligned(16)));

/// For GDB: what is delivered, and RSP of the interrupted program.
const char *path_name;
char *interrupted_rsp = stack + STACK_SIZE / 2;

static unsigned rsp_at_call;

__attribute__((noinline)) void trap_dispatch(void *frame)
{
    (void)frame;
    // Two slots above the frame pointer, the return address and RBP, RSP was at the call.
    rsp_at_call = ((unsigned long)__builtin_frame_address(0) + 16) % 16;
}

static void show(const char *name, const char *stub, bool with_code)
{
    path_name = name;
    deliver(stub, 1, with_code, interrupted_rsp);
    printf("%s %u\n", name, rsp_at_call);
}

int main(void)
{
#define PATH(name)                                                                                 \
    show(#name " none", name##_none, false);                                                       \
    show(#name " code", name##_code, true);
#include "paths.def"
#undef PATH
    return 0;
}
