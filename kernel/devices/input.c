// The queue of keys: a ring that interrupt handlers fill. They run with interrupts off, so there
// is one producer at a time.
#include "devices/input.h"

#include "cpu/x86.h"

#define QUEUE_SIZE 8192 // a script's line comes at once, and the longest must fit

// Both count up and wrap around as unsigned integers do; their difference is the fill level.
static unsigned put_count, get_count;
static int queue[QUEUE_SIZE];

_Static_assert((QUEUE_SIZE & (QUEUE_SIZE - 1)) == 0, "the counts wrap at a multiple of it");

void input_put(int key)
{
    if (put_count - get_count < QUEUE_SIZE)
        queue[put_count++ % QUEUE_SIZE] = key;
    else
        queue[(put_count - 1) % QUEUE_SIZE] = KEY_LOST;
}

int input_get(void)
{
    // Look with interrupts off: a key that came between the look and the HLT would not wake us.
    cli();
    while (put_count == get_count) {
        sti_hlt();
        cli();
    }
    int key = queue[get_count++ % QUEUE_SIZE];
    sti();
    return key;
}

bool input_is_pending(void)
{
    return put_count != get_count;
}
