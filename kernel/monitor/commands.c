// The monitor's commands, and what those do that are about the kernel itself.
#include "monitor/commands.h"

#include <stdbool.h>
#include <stdint.h>

#include "devices/power.h"
#include "lib/print.h"
#include "lib/string.h"
#include "monitor/cpu_commands.h"
#include "monitor/fault_commands.h"
#include "monitor/hostile_command.h"
#include "monitor/list.h"
#include "monitor/pager.h"
#include "monitor/storm_command.h"
#include "monitor/tour.h"
#include "report/backtrace.h"
#include "report/describe.h"
#include "report/report.h"
#include "report/symbols.h"
#include "trap/idt.h"
#include "trap/trap.h"

// What the emulator's debug exit is told, see scripts/run.
#define STATUS_PASSED 0x10
#define STATUS_FAILED 0x11

#define COMMAND_SHOWN 40 // characters of a command that has failed

static char running[COMMAND_SHOWN + 1];
static bool running_failed;

static struct {
    unsigned count;
    char first[COMMAND_SHOWN + 1];
} failures;

void command_begin(const char *text)
{
    while (*text == ' ')
        text++;
    print_to(running, sizeof(running), "%s", text);
    running_failed = false;
}

void command_failed(void)
{
    if (running_failed)
        return;
    running_failed = true;
    if (failures.count++ == 0)
        memcpy(failures.first, running, sizeof(running));
}

void command_tell_failed(void)
{
    if (failures.count == 1)
        print("A command has failed: %s\n", failures.first);
    else if (failures.count > 1)
        print("%u commands have failed, the first: %s\n", failures.count, failures.first);
}

void command_refuse(const char *takes, const char *argument)
{
    if (argument[0])
        print("%s, got \"%s\".\n", takes, argument);
    else
        print("%s: which?\n", takes);
    command_failed();
}

static void help(char *argument)
{
    (void)argument;
    for (size_t i = 0; i < command_count; i++)
        print("  %-9s %-8s %s\n", commands[i].name, commands[i].usage, commands[i].help);
    print("`on N` behind raise, force, check or panic has CPU N do it.\n");
    print("Commands may be joined by ';'. Tab completes, the arrow keys recall.\n");
}

/// The value of @c as a hexadecimal digit, 16 if it is none.
static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

bool parse_number(const char *text, unsigned limit, unsigned *number)
{
    unsigned base = 10;
    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    if (*text == '\0')
        return false;
    uint64_t value = 0; // wider than the limit, which is tested behind each digit
    for (; *text; text++) {
        unsigned digit = digit_value(*text);
        if (digit >= base)
            return false;
        value = value * base + digit;
        if (value >= limit)
            return false;
    }
    *number = (unsigned)value;
    return true;
}

static void gate(char *argument)
{
    unsigned vector;
    if (!parse_number(argument, VECTOR_COUNT, &vector)) {
        command_refuse("`gate` takes a vector from 0 to 255", argument);
        return;
    }
    const struct gate *gate = idt_gate(vector);
    const uint64_t *raw = (const uint64_t *)gate;
    char words[56];
    print("Gate %u (0x%02x), %s: %016lx %016lx\n", vector, vector, report_vector(vector), raw[1],
          raw[0]);
    symbols_describe(gate_offset(gate), words, sizeof(words));
    print("  offset     0x%016lx %s\n", gate_offset(gate), words);
    describe_selector(gate->selector, words, sizeof(words));
    print("  selector   0x%04x %s\n", gate->selector, words);
    print("  IST        %u %s\n", gate->ist,
          gate->ist ? "(this slot's stack, always)" : "(no switch within a ring)");
    print("  attributes 0x%02x: %s, DPL %u, %s\n", gate->attributes,
          gate->attributes & GATE_P ? "present" : "not present",
          gate->attributes >> GATE_DPL_SHIFT & 3,
          (gate->attributes & GATE_TYPE) == GATE_INTERRUPT ? "64-bit interrupt gate (clears IF)"
                                                           : "64-bit trap gate (keeps IF)");
}

static void vectors(char *argument)
{
    (void)argument;
    pager_room(1);
    print("vector  mnemonic   class       code  IST   count  name\n");
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        const struct vector_info *info = vector_info(vector);
        uint64_t count = trap_count_of_all(vector);
        if (!info && count == 0)
            continue;
        if (!pager_room(1))
            return;
        if (info)
            print("%6u  %-9s  %-10s  %-4s  %3u  %6lu  %s\n", vector, info->mnemonic,
                  vector_class_name(info->class), info->has_error_code ? "yes" : "no", info->ist,
                  count, info->name);
        else
            print("%6u  %-9s  %-10s  %-4s  %3u  %6lu\n", vector, "-", "-", "no", 0, count);
    }
}

static void bt(char *argument)
{
    (void)argument;
    backtrace((uint64_t)__builtin_return_address(0), *(const uint64_t *)__builtin_frame_address(0));
}

static void reboot(char *argument)
{
    (void)argument;
    command_tell_failed();
    print("Rebooting.\n");
    power_reboot();
}

static void poweroff(char *argument)
{
    (void)argument;
    command_tell_failed();
    power_off(failures.count > 0 ? STATUS_FAILED : STATUS_PASSED);
}

const struct command commands[] = {
    {"help", TAKES_NOTHING, "", "this list", help},
    {"list", TAKES_FAULT, "[WORD]", "the faults that can be raised, or those with a word",
     command_list},
    {"raise", TAKES_FAULT, "NAME", "raise one, and say what was due and what came", command_raise},
    {"force", TAKES_FAULT, "NAME", "the same, even if this machine may not survive it",
     command_force},
    {"frame", TAKES_NUMBER, "[N]", "draw the stack of the last one, or of trap N", command_frame},
    {"regs", TAKES_NOTHING, "", "the registers of the last one", command_regs},
    {"gate", TAKES_NUMBER, "N", "decode the IDT's gate N", gate},
    {"vectors", TAKES_NOTHING, "", "the vectors, and how often each was taken", vectors},
    {"cpus", TAKES_NOTHING, "", "the CPUs: each tells of itself", command_cpus},
    {"tlb", TAKES_NOTHING, "", "change a page: which CPUs read the old one?", command_tlb},
    {"bt", TAKES_NOTHING, "", "a backtrace from here", bt},
    {"tour", TAKES_NOTHING, "", "a dozen of them, chosen and explained", command_tour},
    {"check", TAKES_CPU, "", "raise all of them and report as KTAP", command_check},
    {"storm", TAKES_NUMBER, "[N]", "traps from everywhere at once, for N seconds or N `traps`",
     command_storm},
    {"hostile", TAKES_NUMBER, "N [SEED]", "run N random programs in ring 3", command_hostile},
    {"panic", TAKES_FAULT, "[NAME]", "a trap (#UD, or NAME's) that nobody handles", command_panic},
    {"reboot", TAKES_NOTHING, "", "restart the machine", reboot},
    {"poweroff", TAKES_NOTHING, "", "switch the machine off", poweroff},
};

const size_t command_count = sizeof(commands) / sizeof(commands[0]);
