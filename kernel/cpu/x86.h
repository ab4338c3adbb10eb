// Instructions that C cannot say, one inline function each, under their manual names, and the
// architecture's constants from x86.def.
#pragma once

#include <stdint.h>

#define NOTE(text)
#define CONSTANT(name, value) name = value,
enum x86_constant {
#include "cpu/x86.def"
};
#undef CONSTANT
#undef NOTE

// IA32_MCi_STATUS: SDM vol. 3, 15.3.2.2. NASM has no use for them.
#define MCI_STATUS_VAL   (1ul << 63)
#define MCI_STATUS_OVER  (1ul << 62)
#define MCI_STATUS_UC    (1ul << 61)
#define MCI_STATUS_EN    (1ul << 60)
#define MCI_STATUS_MISCV (1ul << 59)
#define MCI_STATUS_ADDRV (1ul << 58)
#define MCI_STATUS_PCC   (1ul << 57)

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint64_t read_rflags(void)
{
    return __builtin_ia32_readeflags_u64();
}

static inline void cli(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline void sti(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void hlt(void)
{
    __asm__ volatile("hlt" : : : "memory");
}

/// Wait for an interrupt without a gap in which it could be missed: STI holds interrupts off
/// until the instruction after it has executed.
static inline void sti_hlt(void)
{
    __asm__ volatile("sti\n\thlt" : : : "memory");
}

/// From a guest back to its host: APM vol. 3, VMMCALL. The host's way back, tests/faults/svm.inc,
/// clobbers RCX.
static inline void vmmcall(void)
{
    __asm__ volatile("vmmcall" : : : "rcx", "cc", "memory");
}

static inline void ud2(void)
{
    __asm__ volatile("ud2" : : : "memory");
}

static inline void pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline void fninit(void)
{
    __asm__ volatile("fninit" : : : "memory");
}

static inline void ldmxcsr(uint32_t value)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(value));
}

/// Add @value to *memory and return what it was, in one instruction: XADD, which needs no LOCK, for
/// there is no other CPU.
static inline uint64_t fetch_add(uint64_t *memory, uint64_t value)
{
    __asm__ volatile("xadd %0, %1" : "+r"(value), "+m"(*memory) : : "cc");
    return value;
}

/// The operand of LGDT, SGDT, LIDT and SIDT: SDM vol. 3, 2.4.
struct descriptor_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static inline void lgdt(const struct descriptor_register *gdtr)
{
    __asm__ volatile("lgdt %0" : : "m"(*gdtr) : "memory");
}

static inline void lidt(const struct descriptor_register *idtr)
{
    __asm__ volatile("lidt %0" : : "m"(*idtr) : "memory");
}

static inline void ltr(uint16_t selector)
{
    __asm__ volatile("ltr %0" : : "rm"(selector) : "memory");
}

static inline void lldt(uint16_t selector)
{
    __asm__ volatile("lldt %0" : : "rm"(selector) : "memory");
}

static inline void sgdt(struct descriptor_register *gdtr)
{
    __asm__ volatile("sgdt %0" : "=m"(*gdtr));
}

static inline uint16_t sldt(void)
{
    uint16_t selector;
    __asm__ volatile("sldt %0" : "=r"(selector));
    return selector;
}

/// Load CS, by a far return, and all data segment registers. SDM vol. 3, 5.8.
static inline void set_segments(uint64_t code, uint16_t data)
{
    __asm__ volatile("push %0\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "mov %1, %%ss\n\t"
                     "mov %1, %%ds\n\t"
                     "mov %1, %%es\n\t"
                     "mov %1, %%fs\n\t"
                     "mov %1, %%gs"
                     :
                     : "r"(code), "r"((uint32_t)data)
                     : "rax", "memory");
}

/// Load the data segment registers, but for SS; this sets the bases of FS and GS as well.
static inline void set_data_segments(uint16_t selector)
{
    __asm__ volatile("mov %0, %%ds\n\t"
                     "mov %0, %%es\n\t"
                     "mov %0, %%fs\n\t"
                     "mov %0, %%gs"
                     :
                     : "r"((uint32_t)selector)
                     : "memory");
}

static inline void invlpg(const void *address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

/// Wait until all that was written before is visible, and let nothing behind begin: SDM vol. 3,
/// 10.12.3.
static inline void fence(void)
{
    __asm__ volatile("mfence; lfence" : : : "memory");
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline void xsetbv(uint32_t index, uint64_t value)
{
    __asm__ volatile("xsetbv"
                     :
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t xgetbv(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}

/// Save and restore the components of @mask in an area that is aligned to 64 bytes; all that
/// FXSAVE knows, in one aligned to 16. SDM vol. 1, 10.5 and 13.4.
static inline void xsave(void *area, uint64_t mask)
{
    __asm__ volatile("xsave64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
                     : "memory");
}

static inline void xrstor(const void *area, uint64_t mask)
{
    __asm__ volatile("xrstor64 (%0)"
                     :
                     : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
                     : "memory");
}

static inline void fxsave(void *area)
{
    __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static inline void fxrstor(const void *area)
{
    __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

/// The rights of the protection keys: SDM vol. 3, 4.6.2. Needs CR4.PKE.
static inline void wrpkru(uint32_t value)
{
    __asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid out;
    __asm__ volatile("cpuid"
                     : "=a"(out.eax), "=b"(out.ebx), "=c"(out.ecx), "=d"(out.edx)
                     : "a"(leaf), "c"(subleaf));
    return out;
}

#define DEFINE_REGISTER(name)                                                                      \
    static inline uint64_t read_##name(void)                                                       \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory");                        \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_##name(uint64_t value)                                                \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");                            \
    }

DEFINE_REGISTER(cr0)
DEFINE_REGISTER(cr2)
DEFINE_REGISTER(cr3)
DEFINE_REGISTER(cr4)
DEFINE_REGISTER(dr0)
DEFINE_REGISTER(dr1)
DEFINE_REGISTER(dr6)
DEFINE_REGISTER(dr7)

#undef DEFINE_REGISTER
