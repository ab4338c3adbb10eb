# How the fuzzers of what the kernel reads are built: its own sources, on Linux, with Clang's libFuzzer,
# its sanitizers and its counts of coverage.

INPUT := $(BUILD)/fuzz
INPUT_CC := clang
# The kernel's addresses of 32 bits want a program that is not position-independent; x86 reads what is
# not aligned.
INPUT_CFLAGS := -std=c17 -D_GNU_SOURCE -O1 -g -Wall -Wextra -iquote kernel -iquote . \
	-fno-pie -no-pie -fsanitize=fuzzer,address,undefined -fno-sanitize=alignment \
	-fno-sanitize-recover=all -fprofile-instr-generate -fcoverage-mapping
INPUT_FUZZERS := $(patsubst %,$(INPUT)/%,bootinfo acpi symbols screen)
INPUT_COMMON := tests/fuzz/kernel.c boot/bootinfo.c kernel/lib/print.c
INPUT_READ := $(wildcard tests/fuzz/*.[ch] boot/*.[ch] kernel/*/*.[ch] kernel/*/*.def)

$(INPUT)/acpi: ALSO := kernel/devices/madt.c kernel/devices/sleep.c
$(INPUT)/screen: ALSO := kernel/console/framebuffer.c kernel/lib/ecma48.c \
	$(BUILD)/generated/font.c
$(INPUT)/screen: $(BUILD)/generated/font.c

$(INPUT)/%: tests/fuzz/%.c $(INPUT_READ) tests/fuzz/rules.mk
	@mkdir -p $(@D)
	@echo '  FUZZ  $@'
	@$(INPUT_CC) $(INPUT_CFLAGS) -o $@ $< $(INPUT_COMMON) $(ALSO)
