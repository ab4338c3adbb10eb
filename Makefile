# Every command that a person types: `make help` lists them. All output is under build/.

# None of make's own rules is used here, and looking each file up in them takes half of its start.
MAKEFLAGS += --no-builtin-rules
# What a command needs is built as many files at once as there are CPUs, unless -j says how many.
CPUS := $(words $(wildcard /sys/devices/system/cpu/cpu[0-9]*))
BUILD_OPTIONS = --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,$(addprefix --jobs=,$(CPUS:0=)))

BUILD := build
FAULTS ?=
RUN ?=
EMU ?= qemu
SUITE ?= trixie
# WERROR=1 makes a warning an error. Tests do; nobody else is stopped by a newer compiler's opinion.
WERROR ?=
STRICT := $(if $(WERROR),-Werror)
STRICT_LINK := $(if $(WERROR),--fatal-warnings)

# The monitor's words go by the environment: neither make nor the shell may read them. This must
# stand in front of the first $(shell), to which make 4.4 exports all that a recipe would get.
ifeq ($(origin RUN),command line)
unexport RUN
endif
export RUN_WORDS := $(value RUN)

# Anybody's own emulator in the place of the system's; a path is good from any directory.
absolute = $(if $(findstring /,$(1)),$(abspath $(1)),$(1))
override QEMU := $(call absolute,$(QEMU))
override BOCHS := $(call absolute,$(BOCHS))
export QEMU BOCHS

COMMANDS := all run test truth truth-page debug trace explore campaign soak hostile fuzz fuzz-input lint \
	lint-proof stublint bench compare bugs break mutate fresh release compile_commands format clean help
# What each of them may be given stands with it, in NAME.options; these are good for all.
TOOLS := BUILD= WERROR=1 NO_INSTALL=1 CI= CROSS= CC= LD= OBJCOPY= NASM= CFLAGS= NASMFLAGS= LDFLAGS= \
	HOST_CC= HOST_CFLAGS= HOST_LDFLAGS= GRUB_MKRESCUE= FONT= GDB= PYTHON= QEMU= BOCHS=

# Without any of these `make truth` takes all machines at hand.
THEIR_EMU := $(if $(findstring command,$(origin EMU)),$(EMU))
TRUTH_ALL := $(if $(THEIR_EMU)$(QEMU)$(BOCHS)$(CASE),,all)
# An image that raises CASE by itself, to go with a report.
CASE_ISO := $(CASE:%=$(BUILD)/case-%.iso)
TRUTH_DEPS := $(if $(TRUTH_ALL),run bochs silicon,$(if $(filter bochs,$(THEIR_EMU))$(BOCHS),bochs,run))

# The program $(1), if there is one. To start a shell for it would be a third of what make does.
program = $(firstword $(wildcard $(if $(findstring /,$(1)),$(1),$(addsuffix /$(1),$(subst :, ,$(PATH))))))

# Compiler: CROSS=prefix- if given, else x86_64-elf-gcc if there is one, else the GCC of Debian's
# name; CC=clang works as well.
ifndef CROSS
CROSS := $(if $(call program,x86_64-elf-gcc),x86_64-elf-,x86_64-linux-gnu-)
endif
ifeq ($(origin CC),default)
CC := $(CROSS)gcc
endif
ifneq ($(findstring clang,$(CC)),)
TARGET := --target=x86_64-unknown-none-elf
LD := $(or $(call program,$(CROSS)ld),ld.lld)
OBJCOPY := $(or $(call program,$(CROSS)objcopy),llvm-objcopy)
else
LD := $(CROSS)ld
OBJCOPY := $(CROSS)objcopy
endif
NASM := nasm
# Fedora's GRUB has another name.
GRUB_MKRESCUE := $(if $(call program,grub2-mkrescue),grub2-mkrescue,grub-mkrescue)
# What grub.cfg needs, and the partition maps, all of which grub-mkrescue has GRUB ask for: it complains
# of each that is not there, which is half of the time of a boot in QEMU. With all modules the ISO is
# four times as large, and takes seconds to write.
GRUB_MODULES := normal iso9660 fat configfile all_video cpuid multiboot2 part_acorn part_amiga \
	part_apple part_bsd part_dfly part_dvh part_gpt part_msdos part_plan part_sun part_sunpc
# Debian's pytest belongs to Debian's Python.
PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
# What a build starts needs nobody's packages, and looking for them takes half of a start.
BUILDER := $(PYTHON) -S
# One more than the cores of a small machine: a test waits for its guest now and then.
TEST_WORKERS := 3
FONT := $(firstword $(wildcard /usr/share/consolefonts/spleen-8x16.psfu.gz \
	/usr/share/kbd/consolefonts/ter-116n.psf.gz /usr/lib/kbd/consolefonts/ter-116n.psf.gz) \
	/usr/share/consolefonts/spleen-8x16.psfu.gz)

# The kernel's C must leave alone what asm/entry.asm does not save (SSE, AVX, x87) and what the CPU
# overwrites (the red zone), and keeps the frame pointers that kernel/report/backtrace.c walks along.
CFLAGS := $(TARGET) -std=c17 -O2 -g -ffreestanding -fno-pic -mcmodel=kernel -mgeneral-regs-only \
	-mno-red-zone -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-stack-protector \
	-fcf-protection=branch -fno-jump-tables -fno-asynchronous-unwind-tables \
	-Wall -Wextra -Ikernel -I.
NASMFLAGS := -f elf64 -g -F dwarf -I kernel/ -I asm/ -I tests/faults/
LDFLAGS := -T linker.ld -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-mismatch

# What a person types reaches the shell as one word, whatever is in it.
quote = '$(subst ','\'',$(1))'
# The option $(1) of a script with the value of our option $(2), if that is given.
given = $(if $(value $(2)),$(1)=$(call quote,$(value $(2))))

SOURCES := $(sort $(wildcard kernel/*.c kernel/*/*.c boot/*.c boot/*.asm asm/*.asm kernel/*/*.asm)) \
	$(sort $(wildcard tests/faults/*.asm))
ifneq ($(words $(BUILD)),1)
$(error BUILD=$(BUILD): a directory is wanted, without a space in it)
endif
ifneq ($(words $(FAULTS)),$(if $(FAULTS),1,0))
$(error FAULTS=$(FAULTS): make takes no directory with a space in its name)
endif
OWN_FAULTS := $(if $(FAULTS),$(sort $(wildcard $(FAULTS)/*.asm)))
ifneq ($(FAULTS),)
$(if $(OWN_FAULTS),,$(error FAULTS=$(FAULTS): there is no .asm file in that directory))
$(foreach file,$(OWN_FAULTS),$(if $(wildcard $(file)),,\
	$(error FAULTS=$(FAULTS): make takes no file with a space in its name: $(file)...)))
endif
OWN := $(BUILD)/own/$(subst /,_,$(FAULTS))
GENERATED := $(BUILD)/generated/font.c $(BUILD)/generated/deviations.c \
	$(BUILD)/generated/version.c
OBJECTS := $(SOURCES:%=$(BUILD)/%.o) $(GENERATED:%.c=%.c.o) \
	$(OWN_FAULTS:$(FAULTS)/%=$(OWN)/%.o)

KERNEL := $(BUILD)/barestub.elf
RELEASE := $(BUILD)/release
ISO := $(BUILD)/barestub.iso
BUDGET := $(BUILD)/stack-budget.txt
# Some systems have a CPU in the environment, which says something else.
THEIR_CPU := $(if $(findstring command,$(origin CPU)),$(CPU))
THEIR_CPUS := $(if $(findstring command,$(origin CPUS)),$(CPUS))
RUN_ISO := $(if $(value RUN),$(BUILD)/run.iso,$(ISO))

# What `make lint` reads: the kernel named by ELF=, else a running one named in ARGS, else ours.
THEIR_ELF := $(if $(findstring command,$(origin ELF)),$(ELF))
OUR_KERNEL = $(KERNEL) --allow tests/lint/barestub.allow
RUNNING := $(filter --boot --qmp --rules --help,$(ARGS))

# A recording has nobody who types: its words are on the kernel's command line.
GDB := gdb
DEBUG_FAULT := $(or $(value FAULT),$(if $(RR),pf-write-readonly))
RECORDED := $(if $(RR),RUN=$(call quote,raise $(DEBUG_FAULT); poweroff))
DEBUG_ISO := $(if $(RECORDED),$(BUILD)/run.iso,$(RUN_ISO))

# Ubuntu's browser is a snap, which apt cannot install everywhere: its tests are skipped there.
BROWSER = $(if $(shell grep -sx ID=ubuntu /etc/os-release),,browser)

# What a command needs is found, or installed, before anything else.
DEPS := CC='$(CC)' CROSS='$(CROSS)' scripts/deps

# Python compiles each script once, whatever the environment says: it keeps that below build/.
export PYTHONPYCACHEPREFIX := $(abspath $(BUILD))/pycache
export PYTHONDONTWRITEBYTECODE :=

.PHONY: $(COMMANDS) FORCE
.DELETE_ON_ERROR:

all.options := FAULTS=DIR
all: ## build build/barestub.elf and build/barestub.iso
	@$(DEPS) kernel image
	@$(MAKE) $(BUILD_OPTIONS) $(BUDGET) $(ISO)

run.options := RUN="..." FAULTS=DIR UEFI=1 EMU=qemu|bochs|kvm CPU=MODEL CPUS=N
run: ## boot it, with its monitor in this terminal
	@$(DEPS) kernel image $(if $(filter bochs,$(EMU)),bochs,run) $(if $(UEFI),uefi)
	@$(MAKE) $(BUILD_OPTIONS) $(BUDGET) $(RUN_ISO)
	@$(PYTHON) scripts/run --emu $(call quote,$(EMU)) \
		$(call given,--cpu,THEIR_CPU) $(call given,--cpus,THEIR_CPUS) $(if $(UEFI),--uefi) $(RUN_ISO)

test.options := K="..." EMU=qemu|kvm FAULTS=DIR
test: ## run all tests, or some; JUnit XML in build/junit.xml
	@$(DEPS) kernel image run uefi bochs debug record silicon clang bugs lint test release $(BROWSER) \
		$(if $(IS_X86_64),input)
	@$(MAKE) $(BUILD_OPTIONS) $(BUDGET) $(ISO) \
		$(if $(IS_X86_64),$(SILICON)/fuzz $(SILICON)/native $(INPUT_FUZZERS))
	$(PYTHON) -m pytest -c tests/pytest.ini --rootdir=. -n $(TEST_WORKERS) --junitxml=$(BUILD)/junit.xml \
		$(if $(K),-k $(call quote,$(value K))) \
		tests$(if $(filter kvm,$(EMU)),/machines/test_kvm.py tests/machines/test_kvm_faults.py)

truth.options := EMU=qemu|bochs|kvm CASE=NAME RECORD=1 FAULTS=DIR
truth: ## raise the catalogue, and print what is new
	@$(DEPS) kernel image $(TRUTH_DEPS)
	@$(MAKE) $(BUILD_OPTIONS) $(ISO) $(CASE_ISO) \
		$(if $(and $(IS_X86_64),$(TRUTH_ALL)),$(SILICON)/native)
	@$(PYTHON) scripts/truth $(if $(TRUTH_ALL),,$(THEIR_EMU:%=--emu %)) $(if $(RECORD),--record) \
		$(if $(CASE),--case $(call quote,$(CASE)) --case-iso $(CASE_ISO)) $(ISO)

# The page is in the repository: nothing else builds it.
truth-page: ## write tests/TRUTH.md anew, measuring nothing
	@$(DEPS) kernel
	@$(PYTHON) scripts/truth --page $(ISO)

debug.options := FAULT=NAME WALK=NAME RR=1 RUN="..." FAULTS=DIR EMU=qemu|kvm CPUS=N
debug: ## step through traps in GDB; RR=1 goes back in time
	@$(DEPS) kernel image run debug $(if $(RR),record)
	@$(MAKE) $(BUILD_OPTIONS) $(BUDGET) $(RECORDED) $(DEBUG_ISO)
	@$(PYTHON) scripts/debug --emu $(call quote,$(EMU)) --gdb '$(GDB)' \
		$(call given,--cpus,THEIR_CPUS) $(if $(RR),--record) $(call given,--fault,DEBUG_FAULT) \
		$(call given,--walk,WALK) $(KERNEL) $(DEBUG_ISO)

ifneq ($(and $(filter trace,$(MAKECMDGOALS)),$(value FAULT),$(value BUG)),)
$(error FAULT and BUG: `make trace` takes one of them)
endif
trace: TRACED := $(or $(value FAULT),$(value BUG))
trace.options := FAULT=NAME BUG=NAME FAULTS=DIR
trace: ## record traps step by step, as JSON and text
	@$(DEPS) kernel image run lint bugs $(if $(TRACED),,silicon clang)
	@$(MAKE) $(BUILD_OPTIONS) $(ISO)
	@$(PYTHON) scripts/trace $(call given,--fault,TRACED) $(BUILD)

fuzz.options := SEED= N= STUBS="OBJECT..."
fuzz: ## random interrupts through the stubs, on this CPU
	@$(DEPS) silicon
	@$(MAKE) $(BUILD_OPTIONS) $(SILICON)/fuzz
	@$(SILICON)/fuzz $(if $(SEED),$(call quote,$(value SEED)),$$(od -An -N7 -tu8 /dev/urandom)) \
		$(call quote,$(or $(value N),10000000))

fuzz-input.options := SECONDS=
fuzz-input: ## random firmware tables, boot information and text
	@$(DEPS) kernel input
	@$(MAKE) $(BUILD_OPTIONS) $(INPUT_FUZZERS)
	@$(PYTHON) tests/fuzz/run.py $(BUILD) $(call quote,$(or $(value SECONDS),60))

lint.options := ELF="FILE..." ARGS="..."
lint: ## check anybody's stubs; ARGS are of scripts/stublint
	@$(DEPS) lint $(if $(THEIR_ELF),,kernel)
	@$(if $(THEIR_ELF),,$(MAKE) $(BUILD_OPTIONS) $(KERNEL))
	@$(PYTHON) scripts/stublint $(if $(THEIR_ELF)$(RUNNING),$(THEIR_ELF),$(OUR_KERNEL)) $(ARGS)

lint-proof: ## break right paths in every way; stublint must find it
	@$(DEPS) lint silicon test
	@mkdir -p $(BUILD)
	@$(PYTHON) tests/lint/proof.py

stublint: ## put scripts/stublint into one file, build/stublint.pyz
	@$(DEPS) python
	@$(MAKE) $(BUILD_OPTIONS) $(BUILD)/stublint.pyz

bench.options := STUBS="OBJECT..."
bench: ## measure our path beside the compilers', on this CPU
	@$(DEPS) kernel image run silicon clang bench
	@$(MAKE) $(BUILD_OPTIONS) $(ISO) $(STUBS)
	@$(PYTHON) scripts/bench $(BUILD) $(STUBS)

compare.options := STUBS="OBJECT..."
compare: ## the compilers' functions beside our stub, duty by duty
	@$(DEPS) python silicon clang debug
	@$(MAKE) $(BUILD_OPTIONS) $(STUBS)
	@$(PYTHON) scripts/compare $(BUILD) $(STUBS)

bugs: ## list the classic mistakes of the museum, tests/bugs/
	@$(DEPS) python
	@$(PYTHON) scripts/break

break.options := BUG=NAME
break: ## boot with one of them, and see what it does
	@$(DEPS) kernel image run silicon bugs
	@$(MAKE) $(BUILD_OPTIONS) $(KERNEL) $(if $(IS_X86_64),$(SILICON)/fuzz)
	@$(PYTHON) scripts/break $(call quote,$(value BUG))

campaign.options := N= SEED= SHARD=1/8
campaign: ## flip each bit of a trap's frame, and N others
	@$(DEPS) kernel image run record bench
	@$(MAKE) $(BUILD_OPTIONS) $(ISO)
	@$(PYTHON) scripts/campaign $(call given,--count,N) $(call given,--seed,SEED) \
		$(call given,--shard,SHARD) $(BUILD)

soak.options := TRAPS= SEED= EMU=qemu|bochs ICOUNT=1 CPUS=N
soak: ## let traps storm, with input from the host
	@$(DEPS) kernel image $(if $(filter bochs,$(EMU)),bochs,run)
	@$(MAKE) $(BUILD_OPTIONS) $(ISO)
	@$(PYTHON) scripts/soak --emu $(call quote,$(EMU)) $(if $(ICOUNT),--icount) \
		$(call given,--cpus,THEIR_CPUS) $(call given,--traps,TRAPS) $(call given,--seed,SEED) $(ISO)

hostile.options := PROGRAMS= SEED= EMU=qemu|bochs
hostile: ## run random programs in ring 3, thousands a second
	@$(DEPS) kernel image $(if $(filter bochs,$(EMU)),bochs,run)
	@$(MAKE) $(BUILD_OPTIONS) $(ISO)
	@$(PYTHON) scripts/hostile --emu $(call quote,$(EMU)) $(call given,--programs,PROGRAMS) \
		$(call given,--seed,SEED) $(BUILD)

explore: THEIR_STUBS = $(THEIR_ELF) $(ARGS)
explore.options := FAULTS=DIR CHECK=1 ELF=KERNEL ARGS="..."
explore: ## write a page that plays each trap, or those of a KERNEL
	@$(DEPS) lint $(if $(strip $(THEIR_STUBS)),,kernel image run bugs silicon clang) $(if $(CHECK),test browser)
	@$(if $(strip $(THEIR_STUBS)),,$(MAKE) $(BUILD_OPTIONS) $(ISO))
	@$(PYTHON) scripts/explore $(if $(CHECK),--check) $(BUILD) $(THEIR_STUBS)

mutate.options := K="..."
mutate: ## break each step of the path: a test must find it
	@$(DEPS) kernel image run debug silicon bugs lint test
	@$(MAKE) $(BUILD_OPTIONS) $(ISO) $(if $(IS_X86_64),$(SILICON)/fuzz)
	@$(PYTHON) tests/mutate.py $(if $(K),$(call quote,$(value K)))

release: ## write what a release publishes to build/release/
	@$(DEPS) kernel image release
	@$(MAKE) $(BUILD_OPTIONS) $(BUDGET) $(RELEASE)/SHA256SUMS

fresh.options := SUITE=trixie ARGS="COMMAND..."
fresh: ## as a new user on a clean Debian
	@scripts/fresh $(call quote,$(SUITE)) $(ARGS)

compile_commands: ## write build/compile_commands.json for editors
	@$(DEPS) python
	@$(BUILDER) scripts/build/compile_commands $(BUILD)/compile_commands.json \
		'$(CC) $(CFLAGS) -c' $(filter %.c,$(SOURCES)) -- \
		'$(HOST_CC) $(HOST_CFLAGS) -c' $(wildcard tests/silicon/*.c)

format: ## lay the C sources out as .clang-format says
	@$(DEPS) format
	clang-format -i kernel/*.[ch] kernel/*/*.[ch] boot/*.[ch] tests/silicon/*.[ch] tests/fuzz/*.[ch]

clean: ## remove build/
	rm -rf $(BUILD)

help: ## list these commands
	@sed -n '/^[a-z_-]*\.options := /{s///;h;d}; s/^\([a-z_-]*\):.* ## /\1:/; T; G; p; s/.*//; h' Makefile | \
	while IFS=: read -r name text && read -r options; do \
		printf '  make %-16s %s\n' "$$name" "$$text"; \
		[ -z "$$options" ] || echo "          $$options"; \
	done
	@echo '  All take BUILD=DIR CC=clang CROSS=PREFIX- QEMU=PATH BOCHS=PATH NO_INSTALL=1'

$(KERNEL): $(OBJECTS) linker.ld $(BUILD)/objects scripts/build/ranges
	@echo '  LD    $@'
	@$(LD) $(LDFLAGS) $(STRICT_LINK) -o $@ $(OBJECTS)
	@$(BUILDER) scripts/build/ranges $@ $(OBJCOPY)

# Not for a kernel that is broken on purpose, over and over.
$(BUDGET): $(KERNEL) scripts/build/stack_budget
	@$(BUILDER) scripts/build/stack_budget $< > $@

# GRUB loads every section into memory: the debug sections stay in barestub.elf, for GDB, and so do the
# labels inside NASM's macros, which are half of all symbols and name nothing for a person.
$(BUILD)/loaded.elf: $(KERNEL)
	@$(OBJCOPY) --strip-debug --wildcard --strip-symbol='..@*' $< $@

# Of what lies in iso-NAME/, beside NAME.iso.
define write_iso
	@echo '  ISO   $@'
	@$(AT_THE_COMMIT) $(GRUB_MKRESCUE) --locales= --fonts= --themes= \
		--install-modules="$(GRUB_MODULES)" -o $@ $(@D)/iso-$(basename $(@F)) \
		> $(@:.iso=.log) 2>&1 || { cat $(@:.iso=.log); exit 1; }
endef

$(BUILD)/%.iso: $(BUILD)/loaded.elf grub.cfg $(BUILD)/%.cfg
	@mkdir -p $(BUILD)/iso-$*/boot/grub
	@cp $(BUILD)/loaded.elf $(BUILD)/iso-$*/boot/barestub.elf
	@cp grub.cfg $(BUILD)/iso-$*/boot/grub/grub.cfg
	@cp $(BUILD)/$*.cfg $(BUILD)/iso-$*/boot/grub/run.cfg
	$(write_iso)

# Without GRUB, for those that go on behind its start: written in a tenth of the time.
$(BUILD)/%.bare.iso: $(BUILD)/loaded.elf grub.cfg $(BUILD)/%.cfg
	@echo '  ISO   $@'
	@xorriso -as mkisofs -R -o $@ -graft-points boot/barestub.elf=$< boot/grub/grub.cfg=grub.cfg \
		boot/grub/run.cfg=$(BUILD)/$*.cfg > $(@:.iso=.log) 2>&1 || { cat $(@:.iso=.log); exit 1; }

# Where scripts/emulator/behind_grub.py has a machine wait.
$(BUILD)/waiting.iso: GRUB_MODULES += test iorw sleep
$(BUILD)/waiting.iso: scripts/emulator/waiting.cfg Makefile
	@mkdir -p $(BUILD)/iso-waiting/boot/grub
	@cp $< $(BUILD)/iso-waiting/boot/grub/grub.cfg
	$(write_iso)

# What changes with the command line and not with a file: rewritten only if it differs.
define write_if_changed
	@mkdir -p $(@D)
	@printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) > $@
endef

# The same for one line, without a shell if a make from 4.2 on can read the file itself.
is_same = $(and $(findstring [$(1)],[$(2)]),$(findstring [$(2)],[$(1)]))
line_if_changed = $(if $(call is_same,$(1),$(file <$@)),,$(call write_if_changed,$(call quote,$(1))))

.PRECIOUS: $(BUILD)/%.cfg
$(BUILD)/barestub.cfg $(BUILD)/release.cfg: export RUN_WORDS :=
$(BUILD)/case-%.cfg: export RUN_WORDS = raise $(CASE); poweroff
$(BUILD)/%.cfg: FORCE
	@$(BUILDER) scripts/build/run_cfg $@

$(BUILD)/objects: FORCE
	$(call line_if_changed,$(OBJECTS))

$(BUILD)/c-flags: FORCE
	$(call line_if_changed,$(CC) $(CFLAGS))

$(BUILD)/nasm-flags: FORCE
	$(call line_if_changed,$(NASM) $(NASMFLAGS))

# Made anew each time: the commit is in it.
$(BUILD)/stublint.pyz: FORCE
	@mkdir -p $(@D)
	@echo '  ZIP   $@'
	@$(BUILDER) scripts/build/zipapp $@

$(BUILD)/generated/font.c: $(FONT) scripts/build/font
	@mkdir -p $(@D)
	@$(BUILDER) scripts/build/font $(FONT) $@

$(BUILD)/generated/deviations.c: tests/emulators.toml scripts/build/deviations
	@mkdir -p $(@D)
	@$(BUILDER) scripts/build/deviations tests/emulators.toml $@

$(BUILD)/generated/version.c: FORCE
	$(call write_if_changed,'#include "lib/version.h"' \
		'const char version[32] = "$(shell $(BUILDER) scripts/version.py)";')

define compile_c
	@mkdir -p $(@D)
	@echo '  CC    $<'
	@$(CC) $(CFLAGS) $(STRICT) -MMD -MP -c -o $@ $<
endef

# NASM 2.16 cannot tell what a file includes: its -MD names the source alone.
NASM_INCLUDES := $(wildcard asm/*.inc kernel/*/*.def tests/faults/*.inc)

define assemble
	@mkdir -p $(@D)
	@echo '  NASM  $<'
	@$(NASM) $(NASMFLAGS) $(STRICT) -o $@ $<
endef

$(BUILD)/generated/%.c.o: $(BUILD)/generated/%.c $(BUILD)/c-flags
	$(compile_c)

$(BUILD)/%.c.o: %.c $(BUILD)/c-flags
	$(compile_c)

$(BUILD)/%.asm.o: %.asm $(NASM_INCLUDES) $(BUILD)/nasm-flags
	$(assemble)

$(OWN)/%.asm.o: $(FAULTS)/%.asm $(NASM_INCLUDES) $(BUILD)/nasm-flags
	$(assemble)

$(filter $(BUILD)/tests/faults/% $(OWN)/%,$(OBJECTS)): | $(BUILD)/names

$(BUILD)/names: $(filter tests/faults/%,$(SOURCES)) $(OWN_FAULTS) scripts/build/names $(BUILD)/objects
	@$(BUILDER) scripts/build/names $@ $(filter %.asm,$^)

include scripts/build/release.mk
include tests/silicon/rules.mk
include tests/fuzz/rules.mk

-include $(OBJECTS:.o=.d)

# Every word of the command line must be of use: nobody would know of one that does nothing. A file as
# a goal may need any of them. What we start ourselves was looked at before.
ifeq ($(MAKELEVEL),0)
GOALS := $(or $(MAKECMDGOALS),all)
UNKNOWN := $(filter-out $(COMMANDS) $(BUILD)/%,$(GOALS))
ASKED := $(if $(filter-out $(COMMANDS),$(GOALS)),$(COMMANDS),$(GOALS))
TAKEN := $(TOOLS) $(foreach command,$(ASKED),$($(command).options))
# The values that $(1) may have, where they are told: one of several, or 1.
choices = $(strip $(foreach values,$(patsubst $(1)=%,%,$(filter $(1)=%,$(TAKEN))),\
	$(if $(filter 1,$(values))$(findstring |,$(values)),$(subst |, ,$(values)))))
is_good = $(and $(filter $(1)=%,$(TAKEN)),$(if $(choices),$(if $(filter-out $(choices),$(value $(1))),,1),1))
REFUSED := $(strip $(foreach word,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(word)))),\
	$(if $(call is_good,$(word)),,$(word)))))
ifneq ($(UNKNOWN)$(REFUSED),)
$(shell $(BUILDER) scripts/build/refuse_words $(foreach goal,$(UNKNOWN),$(call quote,$(goal))) \
	$(if $(UNKNOWN),,$(foreach word,$(REFUSED),$(call quote,$(word)=$(value $(word))))) \
	-- $(ASKED) -- $(foreach command,$(COMMANDS),$(call quote,$(command) $($(command).options))) \
	$(call quote,- $(TOOLS)))
$(error Refused: $(or $(UNKNOWN),$(REFUSED)))
endif
endif
