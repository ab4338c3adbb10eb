// Pages, x87, SSE, AVX, segments, debug registers and control-flow enforcement around a hostile
// program.
#include "hostile/world.h"

#include "cpu/cpu.h"
#include "cpu/layout.h"
#include "cpu/memory.h"
#include "cpu/paging.h"
#include "cpu/x86.h"
#include "hostile/segments.h"
#include "lib/string.h"
#include "trap/idt.h"
#include "trap/stacks.h"
#include "trap/vectors.h"

// Where XSAVE has them: SDM vol. 1, 10.5.1 and 13.4.2. YMM is at CPUID's offset, which is 576
// whenever AVX is the only extension.
#define EXTENDED_FCW    0
#define EXTENDED_MXCSR  24
#define EXTENDED_XMM    160
#define EXTENDED_XMMS   256
#define EXTENDED_HEADER 512
#define EXTENDED_YMM    576
#define FCW_INIT        0x037F // SDM vol. 1, 8.1.5
#define MXCSR_VALID     0xFFBF // without DAZ, which a CPU may lack

// DR7: L0, and of DR0 reads and writes of four bytes: MOV SS must read there; L1, and of DR1
// execution. SDM vol. 3, 17.2.4.
#define DR7_WATCH_DATA (1 << 0 | 0xFul << 16)
#define DR7_BREAKPOINT (1 << 2)

#define WITNESS_SIZE sizeof(witness)
static const uint8_t witness[] = {
    0xF3, 0x0F,        0x1E, 0xFA, // endbr64: what was interrupted may have been on its way to one
    0xCD, VECTOR_USER,
};

#define FILLED (0xA5A5A5A5A5A50000 | SELECTOR_USER_DATA)

// All that ring 3 can write.
static const uint64_t writable[] = {
    HOSTILE_DATA,
    USER_STACK_LOW,
    USER_STACK_LOW + PAGE_SIZE,
};

#define WRITABLE_COUNT (sizeof(writable) / sizeof(writable[0]))

/// The page of ring 3 at @address as the kernel may use it: under SMAP, and writable.
static void *alias(uint64_t address)
{
    return paging_alias((const void *)address);
}

void world_init(void)
{
    paging_map_new(HOSTILE_CODE, PAGE_SIZE, READ_EXECUTE | PTE_US);
    paging_map_new(HOSTILE_DATA, PAGE_SIZE, READ_WRITE | PTE_US);
    paging_map_new(HOSTILE_SHADOW, PAGE_SIZE, READ_ONLY | PTE_D | PTE_US);
    memcpy(alias(HOSTILE_CODE), witness, WITNESS_SIZE);
}

static uint64_t code_address(const struct program *program)
{
    return HOSTILE_CODE + PAGE_SIZE - program->size;
}

uint64_t world_rip(const struct program *program)
{
    return code_address(program) - segments_base((uint16_t)program->start.cs);
}

uint64_t world_witness(void)
{
    return HOSTILE_CODE;
}

uint64_t world_witness_end(void)
{
    return HOSTILE_CODE + WITNESS_SIZE;
}

static bool was_written(uint64_t page)
{
    return *paging_entry((const void *)page) & PTE_D;
}

/// Fill @page with selectors that SS takes, for MOV SS, far pointers and frames of IRET. What is
/// above them must not look like a part of a kernel's address, of which a store makes the rest.
static void refill(uint64_t page)
{
    uint64_t *words = alias(page);
    for (size_t i = 0; i < PAGE_SIZE / sizeof(*words); i++)
        words[i] = FILLED;
    *paging_entry((const void *)page) &= ~(uint64_t)PTE_D;
    invlpg((const void *)page);
}

static void prepare_pages(const struct program *program)
{
    for (size_t i = 0; i < WRITABLE_COUNT; i++)
        if (was_written(writable[i]) || *(uint64_t *)alias(writable[i]) != FILLED)
            refill(writable[i]);
    memcpy((char *)alias(HOSTILE_CODE) + PAGE_SIZE - program->size, program->code, program->size);
}

/// Fill the shadow stack with tokens for RSTORSSP: the address behind each, and bit 0 in 64-bit
/// mode. SDM vol. 1, 17.2.3.
static void prepare_shadow_stack(void)
{
    uint64_t *words = alias(HOSTILE_SHADOW);
    for (size_t i = 0; i < PAGE_SIZE / sizeof(*words); i++)
        words[i] = (HOSTILE_SHADOW + (i + 1) * sizeof(*words)) | 1;
}

static void fill_random(uint8_t *to, size_t size, struct random *random)
{
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t bits = random_next(random);
        memcpy(to + i, &bits, sizeof(bits));
    }
}

/// Registers full of numbers; exceptions of SSE as they come.
static void prepare_extended(const struct program *program)
{
    static struct extended extended;
    struct random random = program->random;
    const uint16_t fcw = FCW_INIT;
    const uint32_t mxcsr = (uint32_t)random_next(&random) & MXCSR_VALID;
    memset(&extended, 0, sizeof(extended));
    memcpy(extended.bytes + EXTENDED_FCW, &fcw, sizeof(fcw));
    memcpy(extended.bytes + EXTENDED_MXCSR, &mxcsr, sizeof(mxcsr));
    fill_random(extended.bytes + EXTENDED_XMM, EXTENDED_XMMS, &random);
    if (!cpu_has(FEATURE_XSAVE)) {
        fxrstor(&extended);
        return;
    }
    const uint64_t components = xgetbv(0);
    memcpy(extended.bytes + EXTENDED_HEADER, &components, sizeof(components));
    if (components & XCR0_AVX)
        fill_random(extended.bytes + EXTENDED_YMM, EXTENDED_XMMS, &random);
    xrstor(&extended, components);
}

static void prepare_segments(const struct program *program)
{
    segments_load(program_is(program, KIND_LDT));
    // Those of the kernel are null in ring 3, where only 64-bit code does without.
    set_data_segments(program_is(program, KIND_COMPATIBILITY) ? (uint16_t)program->start.ss
                                                              : SELECTOR_KERNEL_DATA);
}

static void prepare_debug(const struct program *program)
{
    write_dr6(DR6_INIT);
    write_dr0(HOSTILE_DATA);
    // Not behind the code: where no page is, and data is watched as well, one ends QEMU 7.2.
    write_dr1(code_address(program) + program->breakpoint % program->size);
    write_dr7(DR7_INIT | (program_is(program, KIND_WATCH) ? DR7_WATCH_DATA : 0) |
              (program_is(program, KIND_BREAKPOINT) ? DR7_BREAKPOINT : 0));
}

static void prepare_enforcement(const struct program *program)
{
    uint64_t u_cet = 0;
    if (program_is(program, KIND_TRACKED))
        u_cet |= CET_ENDBR_EN;
    if (program_is(program, KIND_SHADOW_STACK)) {
        u_cet |= CET_SH_STK_EN | CET_WR_SHSTK_EN;
        prepare_shadow_stack();
        wrmsr(IA32_PL3_SSP, program->ssp);
    }
    if (cpu_has(FEATURE_CET_IBT) || cpu_has(FEATURE_CET_SS))
        wrmsr(IA32_U_CET, u_cet);
}

void world_prepare(const struct program *program)
{
    prepare_pages(program);
    prepare_extended(program);
    prepare_segments(program);
    prepare_debug(program);
    if (read_cr4() & CR4_PKE)
        wrpkru(0);
    prepare_enforcement(program);
}

void world_extended(struct extended *extended)
{
    if (cpu_has(FEATURE_XSAVE))
        xsave(extended, xgetbv(0));
    else
        fxsave(extended);
}

/// Whether @bytes of @size hold @number.
static bool holds(const void *bytes, size_t size, uint32_t number)
{
    const char *at = bytes;
    for (size_t i = 0; i + sizeof(number) <= size; i++)
        if (memcmp(at + i, &number, sizeof(number)) == 0)
            return true;
    return false;
}

/// Whether @value is an address of the kernel's image, of the pool, of a device, or of any CPU's
/// tables and stacks.
static bool is_secret(uint64_t value)
{
    const struct {
        uint64_t start, end;
    } parts[] = {
        {(uint64_t)kernel_start, (uint64_t)kernel_end},
        {POOL_BASE, POOL_BASE + POOL_SIZE},
        {DEVICE_BASE, paging_device_end()},
        {CPU_BASE, (uint64_t)cpu_at(CPU_LIMIT)},
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (value >= parts[i].start && value < parts[i].end)
            return true;
    return false;
}

/// Whether @program had half of @value in a register, or may have made it of a number in its code.
/// The highest byte of that is the same, or one less: an addition carries.
static bool was_given(const struct program *program, uint64_t value)
{
    const uint8_t highest = (uint8_t)(value >> 24);
    for (size_t i = sizeof(uint32_t) - 1; i < program->size; i++)
        if (program->code[i] == highest || program->code[i] == (uint8_t)(highest - 1))
            return true;
    return holds(&program->start, sizeof(program->start), (uint32_t)value);
}

/// The first address of the kernel in @words that @program has not been given.
static uint64_t find_secret(const struct program *program, const void *words, size_t size)
{
    for (size_t i = 0; i < size / sizeof(uint64_t); i++) {
        uint64_t value = ((const uint64_t *)words)[i];
        if (is_secret(value) && !was_given(program, value))
            return value;
    }
    return 0;
}

/// The address of the GDT or the IDT anywhere in the page at @bytes: SGDT and SIDT store it behind
/// a limit of two bytes. SDM vol. 2, SGDT; UMIP forbids them.
static uint64_t find_table(const char *bytes)
{
    const uint64_t gdt = (uint64_t)this_cpu()->gdt, idt = (uint64_t)idt_gate(0);
    for (size_t i = 0; i + sizeof(uint64_t) <= PAGE_SIZE; i++) {
        uint64_t value;
        memcpy(&value, bytes + i, sizeof(value));
        if (value == gdt || value == idt)
            return value;
    }
    return 0;
}

/// An address of the kernel in the @page of ring 3.
static uint64_t find_in_page(const struct program *program, uint64_t page)
{
    uint64_t found = find_secret(program, alias(page), PAGE_SIZE);
    return found ? found : find_table(alias(page));
}

uint64_t world_find_leak(const struct program *program, const struct regs *regs,
                         const struct extended *extended)
{
    uint64_t found = find_secret(program, regs, offsetof(struct regs, vector));
    if (!found)
        found = find_secret(program, extended, sizeof(*extended));
    for (size_t i = 0; i < WRITABLE_COUNT && !found; i++)
        if (was_written(writable[i]))
            found = find_in_page(program, writable[i]);
    return found;
}
