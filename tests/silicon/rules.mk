# How the Linux programs of tests/silicon/ are built. They link the kernel's own objects of asm/, or
# other ones that STUBS names.

STUBS ?= $(BUILD)/asm/stubs.asm.o $(BUILD)/asm/entry.asm.o
HOST_CC := cc
# -iquote, because kernel/lib/string.h is not the C library's.
HOST_CFLAGS := -std=c17 -D_GNU_SOURCE -O2 -g -Wall -Wextra -iquote kernel -iquote .
HOST_LDFLAGS := -no-pie -z noexecstack

SILICON := $(BUILD)/silicon
IS_X86_64 = $(filter x86_64,$(shell uname -m))
FUZZ_OBJECTS := $(patsubst %,$(SILICON)/%.o,fuzz.c event.c check.c extended.c trampoline.asm)

$(SILICON)/fuzz: $(FUZZ_OBJECTS) $(STUBS) $(SILICON)/fuzz-objects
	@echo '  LD    $@'
	@$(HOST_CC) $(HOST_LDFLAGS) $(STRICT_LINK:%=-Wl,%) -o $@ $(FUZZ_OBJECTS) $(STUBS)

$(SILICON)/fuzz-objects: FORCE
	$(call line_if_changed,$(STUBS))

NATIVE_OBJECTS := $(patsubst %,$(SILICON)/%.c.o,native native_kernel native_run native_segments \
	native_world catalogue program_lines vectors print)
CATALOGUE := $(filter $(BUILD)/tests/faults/% $(OWN)/%,$(OBJECTS))

# Entries of ring 0 name symbols of the kernel, and do not run here. Those of ring 3 may load FS, by
# which the dynamic linker works: it must have bound all before (-z now).
$(SILICON)/native: $(NATIVE_OBJECTS) $(CATALOGUE) tests/silicon/native.ld $(BUILD)/objects
	@echo '  LD    $@'
	@$(HOST_CC) $(HOST_LDFLAGS) $(STRICT_LINK:%=-Wl,%) -Wl,-Ttext-segment=0x10000000,-z,now \
		-Wl,--unresolved-symbols=ignore-all -T tests/silicon/native.ld -o $@ $(NATIVE_OBJECTS) $(CATALOGUE)

vpath %.c tests/silicon kernel/faults kernel/trap kernel/lib
$(SILICON)/%.c.o: %.c tests/silicon/rules.mk
	@mkdir -p $(@D)
	@echo '  CC    $<'
	@$(HOST_CC) $(HOST_CFLAGS) $(STRICT) -MMD -MP -c -o $@ $<

$(SILICON)/%.asm.o: tests/silicon/%.asm tests/silicon/rules.mk
	@mkdir -p $(@D)
	@echo '  NASM  $<'
	@$(NASM) $(NASMFLAGS) $(STRICT) -I tests/silicon/ -MD $(@:.o=.d) -MP -o $@ $<

-include $(wildcard $(SILICON)/*.d)
