// The catalogue on the host's own CPU: what the parts of the program share.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "faults/faults.h"
#include "trap/vectors.h"

// Not x86.h, whose pause() is another one here.
#define NOTE(text)
#define CONSTANT(name, value) name = value,
enum native_constant {
#include "cpu/x86.def"
};
#undef CONSTANT
#undef NOTE

/// What a child process leaves of one entry, in memory that it shares with its parent.
struct native_outcome {
    size_t count;
    struct record traps[TRAPS_LIMIT]; ///< as the signal contexts have them
    uint64_t result;                  ///< what the code itself found: 0 is right
    bool ended;                       ///< the code came to its end, or its last trap abandons it
    const char *unsupported;          ///< why this process cannot give it what it needs, or null
};

/// Lay out the pages and segments that the entries rely on, and adapt their code to them: in each
/// process anew, since a child would have to bring in its pages once more.
void native_world_init(void);

/// Whether @rip is where the code of an entry ends, which INT VECTOR_USER is in the kernel.
bool native_is_end(uint64_t rip);

/// The kernel's selector for the one that Linux has for the same segment.
uint16_t native_selector(uint16_t selector);

/// Put Linux's selectors into the code, which is writable.
void native_replace_selectors(void);

/// Give DS and ES, which 32-bit code uses, a segment.
void native_load_data_segments(void);

/// Make the spare descriptor, in the LDT. Returns false if Linux will not.
bool native_write_spare_descriptor(uint64_t descriptor);

/// What mmap() gave the page to fault on at @address.
int native_page_protection(uint64_t address);

/// Do what the instruction at *@rip of a routine for ring 0 asks for, with RDX = @rdx, and go
/// behind it. Returns false if that cannot be had here.
bool native_emulate(uint64_t *rip, uint64_t rdx);

/// Carry out what a routine has changed in a page-table entry. Returns false if Linux will not.
bool native_carry_out(void);

/// Run @fault in this process, which does not survive it.
_Noreturn void native_run(const struct fault *fault, struct native_outcome *outcome);
