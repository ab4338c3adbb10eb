// From the boot loader to the prompt, in the order in which one thing needs the other.
#include <stdint.h>

#include "boot/bootinfo.h"
#include "console/console.h"
#include "console/screen.h"
#include "cpu/cpu.h"
#include "cpu/memory.h"
#include "cpu/paging.h"
#include "cpu/x86.h"
#include "devices/acpi.h"
#include "devices/ap.h"
#include "devices/apic.h"
#include "devices/keyboard.h"
#include "devices/pic.h"
#include "devices/serial.h"
#include "devices/timer.h"
#include "devices/uart.h"
#include "faults/state.h"
#include "hostile/hostile.h"
#include "lib/print.h"
#include "lib/version.h"
#include "monitor/commands.h"
#include "monitor/monitor.h"
#include "report/panic.h"
#include "report/symbols.h"
#include "trap/gdt.h"
#include "trap/idt.h"
#include "trap/tables.h"
#include "trap/trap.h"

/// On start.asm's stack, with the boot mapping: up to the kernel's own tables. Returns their CR3.
uint64_t boot_main(uint64_t information);

/// On the kernel stack: the rest, to the prompt.
_Noreturn void kmain(void);

uint64_t boot_main(uint64_t information)
{
    uart_init();
    print_init(console_write);
    trap_init(panic_trap);
    idt_init();
    bootinfo_init(information, BOOT_IDENTITY_END);
    screen_init_early();
    bootinfo_report();
    memory_init();
    cpu_detect();
    trap_init_clac();
    uint64_t cr3 = paging_init();
    screen_detach();
    return cr3;
}

/// Run the words that a script has given on the command line, all of them or none.
static void run_command_line(void)
{
    static char run[COMMAND_LINE_SIZE];
    if (bootinfo.is_command_line_cut) {
        command_begin("the kernel's command line");
        print("The kernel's command line is longer than the %u characters that fit.\n"
              "Nothing of it was run.\n",
              COMMAND_LINE_SIZE - 1);
        command_failed();
    } else if (bootinfo_option("run", run)) {
        monitor_run(run);
    }
}

void kmain(void)
{
    gdt_init();
    cpu_init();
    state_init();
    hostile_init();
    screen_remap();
    symbols_init();
    pic_init();
    acpi_init();
    apic_init();
    timer_init();
    keyboard_init();
    serial_init();
    sti();
    ap_start_all();
    tables_close();

    print("Barestub %s: how an x86-64 interrupt becomes a C call and back.\n"
          "Try `raise pf-write-readonly` and `frame`, or `tour`, or `help`.\n",
          version);
    run_command_line();
    monitor();
}
