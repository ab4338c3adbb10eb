// XSAVE areas full of random registers.
#include "extended.h"

#include <cpuid.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/random.h"

// XCR0, the components that programs compute with: SDM vol. 1, 13.1.
#define XCR0_X87_SSE 0x03
#define XCR0_AVX     0x04
#define XCR0_AVX512  0xE0 // mask registers, upper halves of ZMM0-15, ZMM16-31

#define FIRST_EXTENDED 2 // the first component that is not in the legacy region

#define CPUID_XSAVE       0x0D
#define CPUID_ECX_OSXSAVE (1 << 27) // of leaf 1

// The legacy region and the header: SDM vol. 1, 13.4.1 and 13.4.2.
#define FCW              0
#define FTW              4
#define MXCSR            24
#define MXCSR_MASK       28 // XSAVE writes what this CPU can do, XRSTOR ignores it
#define ST_MM            32
#define XMM              160
#define AFTER_XMM        416
#define HEADER_XSTATE_BV 512
#define EXTENDED_REGION  576

#define FCW_INIT     0x037F
#define FTW_ALL_FULL 0xFF
#define MXCSR_INIT   0x1F80

#define ST_SIZE      16
#define ST_USED      10 // an x87 register has 80 bits; the rest of its slot stays 0
#define ALIGNMENT    64
#define AREA_COUNT   8 // few, so that they stay in the first-level cache
#define CONTENT_SEED 1

static uint64_t components;
static size_t area_size;
static unsigned char *areas, *result;

static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void fill(unsigned char *area, size_t from, size_t to, struct random *random)
{
    for (size_t i = from; i < to; i++)
        area[i] = random_next(random);
}

static void fill_legacy_region(unsigned char *area, struct random *random)
{
    memcpy(area + FCW, &(uint16_t){FCW_INIT}, 2);
    area[FTW] = FTW_ALL_FULL;
    memcpy(area + MXCSR, &(uint32_t){MXCSR_INIT}, 4);
    for (size_t st = ST_MM; st < XMM; st += ST_SIZE)
        fill(area, st, st + ST_USED, random);
    fill(area, XMM, AFTER_XMM, random);
    memcpy(area + HEADER_XSTATE_BV, &components, sizeof(components));
}

/// Where component @number lies in an area, behind the header.
static size_t component_offset(unsigned number, size_t *size)
{
    uint32_t a, b, c, d;
    __cpuid_count(CPUID_XSAVE, number, a, b, c, d);
    *size = a;
    return b;
}

static void fill_extended_region(unsigned char *area, struct random *random)
{
    for (unsigned i = FIRST_EXTENDED; components >> i; i++) {
        size_t size, offset = component_offset(i, &size);
        if (components >> i & 1)
            fill(area, offset, offset + size, random);
    }
}

static size_t size_of_area(void)
{
    size_t end = EXTENDED_REGION;
    for (unsigned i = FIRST_EXTENDED; components >> i; i++) {
        size_t size, offset = component_offset(i, &size);
        if (components >> i & 1 && offset + size > end)
            end = offset + size;
    }
    return (end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

bool extended_init(void)
{
    uint32_t a, b, c, d;
    __cpuid(1, a, b, c, d);
    if (!(c & CPUID_ECX_OSXSAVE))
        return false;
    components = read_xcr0() & (XCR0_X87_SSE | XCR0_AVX | XCR0_AVX512);
    area_size = size_of_area();
    areas = aligned_alloc(ALIGNMENT, area_size * (AREA_COUNT + 1));
    if (areas == NULL)
        return false;
    memset(areas, 0, area_size * (AREA_COUNT + 1));
    result = areas + area_size * AREA_COUNT;

    struct random random = random_from(CONTENT_SEED);
    for (unsigned i = 0; i < AREA_COUNT; i++) {
        fill_legacy_region(areas + i * area_size, &random);
        fill_extended_region(areas + i * area_size, &random);
    }
    return true;
}

uint64_t extended_components(void)
{
    return components;
}

void *extended_area(uint64_t number)
{
    return areas + number % AREA_COUNT * area_size;
}

void *extended_result(void)
{
    return result;
}

static bool is_same(uint64_t number, size_t from, size_t to)
{
    const unsigned char *area = extended_area(number);
    return memcmp(area + from, result + from, to - from) == 0;
}

bool extended_is_unchanged(uint64_t number)
{
    return is_same(number, 0, MXCSR_MASK) && is_same(number, ST_MM, AFTER_XMM) &&
           is_same(number, EXTENDED_REGION, area_size);
}

const char *extended_name(void)
{
    if (components & XCR0_AVX512)
        return "x87, ZMM0-31 and K0-7";
    return components & XCR0_AVX ? "x87 and YMM0-15" : "x87 and XMM0-15";
}
