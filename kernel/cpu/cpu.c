// The CPU's features and control registers.
#include "cpu/cpu.h"

#include "cpu/paging.h"
#include "cpu/x86.h"

static bool features[FEATURE_COUNT] = {[FEATURE_ALWAYS] = true};

void cpu_detect(void)
{
#define FEATURE(name, leaf, subleaf, output, bit)                                                  \
    features[FEATURE_##name] =                                                                     \
        leaf <= cpuid(CPUID_EXTENDED & leaf, 0).eax && cpuid(leaf, subleaf).output & 1u << bit;
#include "cpu/features.def"
#undef FEATURE
    if (!cpu_has(FEATURE_XSAVE))
        cpu_forget(FEATURE_AVX);                            // XCR0 must allow it: SDM vol. 1, 14.3
    features[FEATURE_PTE_RESERVED] = paging_reserved_bit(); // 0 if there is none
}

void cpu_forget(enum feature feature)
{
    features[feature] = false;
}

bool cpu_has(enum feature feature)
{
    return features[feature];
}

const char *feature_name(enum feature feature)
{
    static const char *const names[] = {
#define FEATURE(name, leaf, subleaf, output, bit) [FEATURE_##name] = #name,
#include "cpu/features.def"
#undef FEATURE
        [FEATURE_PTE_RESERVED] = "reserved bit in a page-table entry",
    };
    return names[feature];
}

void cpu_init(void)
{
    // EM and TS clear: x87 and SSE work in ring 3. NE: their errors come as #MF, not as an IRQ.
    write_cr0((read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS | CR0_NW | CR0_CD)) | CR0_MP | CR0_NE |
              CR0_WP | CR0_AM);

    uint64_t cr4 = CR4_PAE | CR4_DE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cr4 |= cpu_has(FEATURE_SMEP) ? CR4_SMEP : 0;
    cr4 |= cpu_has(FEATURE_SMAP) ? CR4_SMAP : 0;
    cr4 |= cpu_has(FEATURE_UMIP) ? CR4_UMIP : 0;
    cr4 |= cpu_has(FEATURE_PKU) ? CR4_PKE : 0;
    cr4 |= cpu_has(FEATURE_XSAVE) ? CR4_OSXSAVE : 0;
    cr4 |= cpu_has(FEATURE_CET_IBT) ? CR4_CET : 0;
    write_cr4(cr4);
    // An indirect branch in ring 0 must arrive at ENDBR64, or it is #CP. SDM vol. 1, 17.3.
    if (cpu_has(FEATURE_CET_IBT))
        wrmsr(IA32_S_CET, CET_ENDBR_EN);
    cpu_init_floating_point();
    if (cpu_has(FEATURE_XSAVE))
        xsetbv(0, XCR0_X87 | XCR0_SSE | (cpu_has(FEATURE_AVX) ? XCR0_AVX : 0));
}

void cpu_init_floating_point(void)
{
    fninit();
    ldmxcsr(MXCSR_INIT);
}
