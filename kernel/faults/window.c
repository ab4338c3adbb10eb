// The two frames hold each a word that tells which it is.
#include "faults/window.h"

#include "cpu/paging.h"
#include "cpu/x86.h"

struct page {
    volatile bool is_other;
} __attribute__((aligned(PAGE_SIZE)));

static struct page window = {.is_other = false}, other = {.is_other = true};

void window_change(bool to_other)
{
    static uint64_t own;
    uint64_t *entry = paging_entry(&window);
    if (own == 0)
        own = *entry;
    *entry = to_other ? *paging_entry(&other) : own;
    window_forget();
}

void window_forget(void)
{
    invlpg(&window);
}

bool window_is_other(void)
{
    return window.is_other;
}
