// Channel 0 of the 8254 at the I/O APIC, with delivery mode NMI: Intel 8254 datasheet; Intel
// 82093AA datasheet, 3.2.4. The timer of the local APIC cannot: its entry has no delivery mode (SDM
// vol. 3, figure 10-8).
#include "devices/watchdog.h"

#include "cpu/x86.h"
#include "devices/apic.h"

#define PIT_HZ               1193182
#define PIT_IRQ              0
#define PIT_CHANNEL_0        0x40
#define PIT_CONTROL          0x43
#define PIT_CHANNEL_0_MODE_2 0x34 // low byte, then high byte; binary; rate generator

void watchdog_start(void)
{
    const unsigned count = PIT_HZ / WATCHDOG_HZ;
    outb(PIT_CONTROL, PIT_CHANNEL_0_MODE_2);
    outb(PIT_CHANNEL_0, count & 0xFF);
    outb(PIT_CHANNEL_0, count >> 8);
    apic_route_nmi(PIT_IRQ);
}

void watchdog_stop(void)
{
    apic_mask(PIT_IRQ);
}
