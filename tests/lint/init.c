/* How kernels in C set up SYSCALL, for stublint to find: NOINLINE has the usual helper called. */

typedef unsigned long u64;

extern void syscall_entry(void);

#ifdef NOINLINE
__attribute__((noinline))
#endif
static void write_msr(unsigned number, u64 value)
{
    __asm__ volatile("wrmsr" : : "c"(number), "a"((unsigned)value), "d"((unsigned)(value >> 32)));
}

void syscall_setup(void);

void syscall_setup(void)
{
    write_msr(0xC0000081, 0x001B0008UL << 32);
    write_msr(0xC0000082, (u64)syscall_entry);
    write_msr(0xC0000084, 0x47700 & ~0x200UL);
}
