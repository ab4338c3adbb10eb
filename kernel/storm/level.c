// One level: its pages, its witness, and who may start it.
#include "storm/level.h"

#include "cpu/layout.h"
#include "cpu/paging.h"
#include "cpu/x86.h"
#include "devices/lapic.h"
#include "storm/raise.h"
#include "trap/stacks.h"

#define LEVELS 32 // more than there is room for on the stack

// Of each level: a page with its struct witness and its stack in ring 3, and one to be touched.
#define LEVEL_SIZE (2 * PAGE_SIZE)

// What must be free of the stack for another level. Behind level_dive() lies what is left of one
// trap's way, and then TRAPS_NESTED that nothing can hold back.
#define ROOM ((TRAPS_NESTED + 1) * TRAP_STACK)

#define IPIS_MAX     3 // raised ahead of a witness
#define TPR_SHIFT    4 // the priority class: SDM vol. 3, figure 10-18
#define PRIORITIES   16
#define ONE_IN_STEPS 8 // witnesses is single-stepped

_Static_assert(LEVELS *LEVEL_SIZE == STORM_SIZE, "layout.def has room for the levels");

static uint64_t first_page(unsigned cpu)
{
    return STORM_BASE + cpu * STORM_SIZE;
}

static uint64_t own_first_page(void)
{
    return first_page(cpu_number(this_cpu()));
}

static uint64_t witness_address(unsigned level)
{
    return own_first_page() + level * LEVEL_SIZE;
}

static uint64_t touched_address(unsigned level)
{
    return witness_address(level) + PAGE_SIZE;
}

/// Ring 3's page as ring 0 may use it: SMAP forbids the other address.
static struct witness *witness_of(unsigned level)
{
    return paging_alias((const void *)witness_address(level));
}

void level_reserve_pages(void)
{
    for (unsigned number = 0; number < cpu_count; number++) {
        const uint64_t *entry = paging_entry((const void *)first_page(number));
        if (entry == NULL || *entry == 0)
            paging_map_new(first_page(number), STORM_SIZE, 0);
    }
}

void level_map_pages(void)
{
    for (unsigned level = 0; level < LEVELS; level++)
        paging_set_access(witness_address(level), READ_WRITE | PTE_US);
}

void level_unmap_pages(void)
{
    for (uint64_t offset = 0; offset < STORM_SIZE; offset += PAGE_SIZE)
        paging_set_access(own_first_page() + offset, 0);
}

bool level_map_touched(uint64_t address, bool is_user)
{
    uint64_t offset = address - own_first_page();
    if (offset >= STORM_SIZE || offset % LEVEL_SIZE < PAGE_SIZE)
        return false;
    paging_set_access(address & -PAGE_SIZE, READ_WRITE | (is_user ? PTE_US : 0));
    return true;
}

/// The page is there, or each of the witness's accesses may be the first.
static void prepare_touched(struct storm *storm, uint64_t address, bool is_user)
{
    if (random_bool(&storm->random)) {
        level_map_touched(address, is_user);
    } else {
        paging_set_access(address, 0);
        storm->raised[VECTOR_PF]++;
    }
}

static void run_witness(struct storm *storm, unsigned level, bool is_user, uint64_t rflags)
{
    struct witness *witness = witness_of(level);
    uint64_t touched = touched_address(level);
    prepare_touched(storm, touched, is_user);
    witness_fill(witness, &storm->random, touched, rflags);
    storm->raised[VECTOR_BP]++;
    if (is_user) {
        storm->raised[VECTOR_USER]++;
        witness_run_user(witness_address(level), rflags & RFLAGS_IF);
    } else {
        witness_run(witness);
    }
    storm->witnesses++;
    struct wrong wrong = {.what = WRONG_REGISTER, .ring = is_user ? 3 : 0, .level = level};
    if (!witness_is_right(witness, &wrong.difference))
        storm_note(storm, wrong);
}

void level_run(struct storm *storm)
{
    unsigned level = storm->level++;
    bool is_user = random_bool(&storm->random);
    uint64_t rflags = RFLAGS_IF;
    if (random_one_in(&storm->random, ONE_IN_STEPS)) {
        rflags |= RFLAGS_TF;
        storm->raised[VECTOR_DB] += storm->steps[is_user];
    }
    uint32_t priority = lapic_read(LAPIC_TPR);
    for (uint64_t i = random_below(&storm->random, IPIS_MAX + 1); i > 0; i--)
        raise_ipi(storm);
    raise_nmi(storm);
    raise_ipi_elsewhere(storm);
    raise_nmi_elsewhere(storm);
    lapic_write(LAPIC_TPR, (uint32_t)random_below(&storm->random, PRIORITIES) << TPR_SHIFT);
    run_witness(storm, level, is_user, rflags);
    lapic_write(LAPIC_TPR, priority);
    storm->level--;
}

void level_count_steps(struct storm *storm)
{
    for (unsigned is_user = 0; is_user < 2; is_user++) {
        uint64_t before = storm->came[VECTOR_DB];
        run_witness(storm, 0, is_user, RFLAGS_TF);
        storm->steps[is_user] = storm->came[VECTOR_DB] - before;
        storm->raised[VECTOR_DB] += storm->steps[is_user];
    }
}

static bool has_room(void)
{
    uint64_t here = (uint64_t)__builtin_frame_address(0);
    return here - cpu_address(this_cpu(), KERNEL_STACK_LOW) >= ROOM;
}

void level_dive(struct storm *storm, const struct regs *regs)
{
    // Only on top of a witness. An NMI comes anywhere, and what has IF clear must stay undisturbed.
    if (storm->dive == 0 || !(regs->rflags & RFLAGS_IF) || storm->level == LEVELS || !has_room())
        return;
    storm->dive--;
    level_run(storm);
}
