// Error codes, flags, debug status and selectors in words.
#include "report/describe.h"

#include <stdbool.h>

#include "cpu/x86.h"
#include "lib/print.h"
#include "trap/vectors.h"

/// A buffer that words are appended to.
struct text {
    char *start;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text->used += print_to_v(text->start + text->used, text->size - text->used, format, arguments);
    va_end(arguments);
}

struct bit_name {
    uint64_t mask;
    const char *name;
};

/// "[A B]": the names of the bits that are set, in the order of the table.
static void add_bits(struct text *text, uint64_t value, const struct bit_name *names, size_t count)
{
    bool first = true;
    add(text, "[");
    for (size_t i = 0; i < count; i++) {
        if ((value & names[i].mask) != names[i].mask)
            continue;
        add(text, "%s%s", first ? "" : " ", names[i].name);
        first = false;
    }
    add(text, "]");
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void add_page_fault(struct text *text, uint64_t code)
{
    static const struct bit_name names[] = {
        {PF_P, "P"},   {PF_W, "W"},   {PF_U, "U"},       {PF_RSVD, "RSVD"}, {PF_I, "I"},
        {PF_PK, "PK"}, {PF_SS, "SS"}, {PF_HLAT, "HLAT"}, {PF_SGX, "SGX"},
    };
    const char *access = code & PF_I ? "fetch from" : code & PF_W ? "write to" : "read of";
    add(text, "%s a %s page in ring %c ", access,
        code & PF_RSVD ? "reserved-bit"
        : code & PF_P  ? "protected"
                       : "not-present",
        code & PF_U ? '3' : '0');
    add_bits(text, code, names, COUNT(names));
}

static void add_selector_code(struct text *text, uint64_t code)
{
    if (code == 0) {
        add(text, "no selector is to blame");
        return;
    }
    uint64_t index = code >> 3 & 0x1FFF;
    if (code & ERROR_IDT)
        add(text, "IDT gate %lu", index);
    else
        add(text, "selector 0x%lx: %s entry %lu", code & 0xFFFC, code & ERROR_TI ? "LDT" : "GDT",
            index);
    if (code & ERROR_EXT)
        add(text, ", during another delivery [EXT]");
}

static void add_control_protection(struct text *text, uint64_t code)
{
    static const char *const causes[] = {
        [CP_NEAR_RET] = "near RET",           [CP_FAR_RET_IRET] = "far RET or IRET",
        [CP_ENDBRANCH] = "missing ENDBRANCH", [CP_RSTORSSP] = "RSTORSSP",
        [CP_SETSSBSY] = "SETSSBSY",
    };
    uint64_t cause = code & 0x7FFF; // SDM vol. 3, 6.15, "Interrupt 21"
    if (cause >= 1 && cause < COUNT(causes))
        add(text, "%s", causes[cause]);
    else
        add(text, "unknown cause %lu", cause);
}

void describe_error(unsigned vector, uint64_t code, char *buffer, size_t size)
{
    struct text text = {buffer, size, 0};
    switch (vector) {
    case VECTOR_PF:
        add_page_fault(&text, code);
        break;
    case VECTOR_TS:
    case VECTOR_NP:
    case VECTOR_SS:
    case VECTOR_GP:
        add_selector_code(&text, code);
        break;
    case VECTOR_CP:
        add_control_protection(&text, code);
        break;
    case VECTOR_DF:
    case VECTOR_AC:
        add(&text, "always 0");
        break;
    default:
        add(&text, "undefined for this vector");
    }
}

void describe_rflags(uint64_t rflags, char *buffer, size_t size)
{
    static const struct bit_name names[] = {
        {RFLAGS_CF, "CF"}, {RFLAGS_PF, "PF"},  {RFLAGS_AF, "AF"},  {RFLAGS_ZF, "ZF"},
        {RFLAGS_SF, "SF"}, {RFLAGS_TF, "TF"},  {RFLAGS_IF, "IF"},  {RFLAGS_DF, "DF"},
        {RFLAGS_OF, "OF"}, {RFLAGS_NT, "NT"},  {RFLAGS_RF, "RF"},  {RFLAGS_AC, "AC"},
        {RFLAGS_ID, "ID"}, {1 << 12, "IOPL0"}, {1 << 13, "IOPL1"},
    };
    struct text text = {buffer, size, 0};
    add_bits(&text, rflags, names, COUNT(names));
}

void describe_dr6(uint64_t dr6, char *buffer, size_t size)
{
    static const struct bit_name names[] = {
        {DR6_B0, "B0"}, {DR6_B1, "B1"}, {DR6_B2, "B2"}, {DR6_B3, "B3"},
        {DR6_BD, "BD"}, {DR6_BS, "BS"}, {DR6_BT, "BT"},
    };
    struct text text = {buffer, size, 0};
    add_bits(&text, dr6, names, COUNT(names));
}

void describe_mcg_status(uint64_t status, char *buffer, size_t size)
{
    static const struct bit_name names[] = {
        {MCG_STATUS_RIPV, "RIPV"},
        {MCG_STATUS_EIPV, "EIPV"},
        {MCG_STATUS_MCIP, "MCIP"},
    };
    struct text text = {buffer, size, 0};
    add_bits(&text, status, names, COUNT(names));
}

void describe_mci_status(uint64_t status, char *buffer, size_t size)
{
    static const struct bit_name names[] = {
        {MCI_STATUS_VAL, "VAL"}, {MCI_STATUS_OVER, "OVER"},   {MCI_STATUS_UC, "UC"},
        {MCI_STATUS_EN, "EN"},   {MCI_STATUS_MISCV, "MISCV"}, {MCI_STATUS_ADDRV, "ADDRV"},
        {MCI_STATUS_PCC, "PCC"},
    };
    struct text text = {buffer, size, 0};
    add_bits(&text, status, names, COUNT(names));
}

void describe_selector(uint64_t selector, char *buffer, size_t size)
{
    struct text text = {buffer, size, 0};
    if ((selector & 0xFFFC) == 0)
        add(&text, "null");
    else
        add(&text, "%s entry %lu, ring %lu", selector & ERROR_TI ? "LDT" : "GDT",
            selector >> 3 & 0x1FFF, selector & 3);
}
