// The driver of the 8042 keyboard controller and of a keyboard that sends scan code set 1. Names
// are those of the IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary
// Device Controller" and "Keyboards".
#include "devices/keyboard.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/x86.h"
#include "devices/apic.h"
#include "devices/input.h"
#include "trap/trap.h"

#define KEYBOARD_IRQ 1

// Ports of the controller.
#define DATA    0x60
#define STATUS  0x64 // read
#define COMMAND 0x64 // write

// Status register.
#define STATUS_OBF  0x01 // output buffer full: there is a byte to read
#define STATUS_IBF  0x02 // input buffer full: do not write
#define STATUS_AUX  0x20 // the byte comes from the auxiliary device, a mouse
#define STATUS_NONE 0xFF // what an empty bus reads

// Commands of the controller.
#define READ_COMMAND_BYTE  0x20
#define WRITE_COMMAND_BYTE 0x60
#define DISABLE_AUX        0xA7
#define DISABLE_KEYBOARD   0xAD

// Command byte.
#define CONFIG_KEYBOARD_INTERRUPT 0x01
#define CONFIG_DISABLE_KEYBOARD   0x10
#define CONFIG_TRANSLATE          0x40 // from set 2, which keyboards send, to set 1

// One read of a port takes about a microsecond, so this waits for a tenth of a second.
#define WAIT_READS  100000
#define FLUSH_BYTES 64

// Scan codes of set 1. A release is the code of the press with bit 7 set.
enum {
    SCAN_CTRL = 0x1D,
    SCAN_LEFT_SHIFT = 0x2A,
    SCAN_RIGHT_SHIFT = 0x36,
    SCAN_CAPS_LOCK = 0x3A,
    SCAN_RELEASE = 0x80,
    SCAN_EXTENDED = 0xE0,
};

// Characters by scan code 0x00 to 0x53, row by row of the keyboard; 0 is a key without one.
static const char plain[] = "\0\0331234567890-=\b"
                            "\tqwertyuiop[]\r"
                            "\0asdfghjkl;'`"
                            "\0\\zxcvbnm,./\0"
                            "*\0 \0\0\0\0\0\0\0\0\0\0\0\0\0"
                            "789-456+1230.";
static const char shifted[] = "\0\033!@#$%^&*()_+\b"
                              "\tQWERTYUIOP{}\r"
                              "\0ASDFGHJKL:\"~"
                              "\0|ZXCVBNM<>?\0"
                              "*\0 \0\0\0\0\0\0\0\0\0\0\0\0\0"
                              "789-456+1230.";

_Static_assert(sizeof(plain) == 0x54 + 1, "the period of the keypad is the last one");
_Static_assert(sizeof(shifted) == sizeof(plain), "the same keys with shift");

static struct {
    bool extended; // the next scan code follows SCAN_EXTENDED
    bool shift, ctrl, caps_lock;
} keyboard;

static bool is_letter(char character)
{
    return (character | 0x20) >= 'a' && (character | 0x20) <= 'z';
}

static int plain_key(uint8_t scan)
{
    if (scan >= sizeof(plain))
        return 0;
    bool letter = is_letter(plain[scan]);
    if (letter && keyboard.ctrl)
        return plain[scan] & 0x1F;
    bool upper = keyboard.shift != (letter && keyboard.caps_lock);
    return upper ? shifted[scan] : plain[scan];
}

static int extended_key(uint8_t scan)
{
    switch (scan) {
    case 0x1C: // Enter of the keypad
        return KEY_ENTER;
    case 0x35:
        return '/';
    case 0x47:
        return KEY_HOME;
    case 0x48:
        return KEY_UP;
    case 0x4B:
        return KEY_LEFT;
    case 0x4D:
        return KEY_RIGHT;
    case 0x4F:
        return KEY_END;
    case 0x50:
        return KEY_DOWN;
    case 0x53:
        return KEY_DELETE;
    default:
        return 0;
    }
}

// Note a press or release of a modifier key; whether @scan is one.
static bool modify(uint8_t scan, bool extended, bool press)
{
    switch (scan) {
    case SCAN_CTRL:
        keyboard.ctrl = press;
        return true;
    case SCAN_LEFT_SHIFT:
    case SCAN_RIGHT_SHIFT:
        // Extended ones are sent around arrow keys to undo Num Lock; no finger is on Shift.
        if (!extended)
            keyboard.shift = press;
        return true;
    case SCAN_CAPS_LOCK:
        keyboard.caps_lock ^= press;
        return true;
    default:
        return false;
    }
}

// The key that @code completes, or 0.
static int receive(uint8_t code)
{
    bool extended = keyboard.extended;
    keyboard.extended = code == SCAN_EXTENDED;
    if (keyboard.extended)
        return 0;
    uint8_t scan = code & ~SCAN_RELEASE;
    bool press = !(code & SCAN_RELEASE);
    if (modify(scan, extended, press) || !press)
        return 0;
    return extended ? extended_key(scan) : plain_key(scan);
}

// Empty the output buffer: the controller interrupts only when it becomes full.
static void keyboard_trap(struct regs *regs)
{
    (void)regs;
    uint8_t status;
    while ((status = inb(STATUS)) & STATUS_OBF) {
        uint8_t code = inb(DATA);
        int key = status & STATUS_AUX ? 0 : receive(code);
        if (key)
            input_put(key);
    }
    apic_end(VECTOR_KEYBOARD);
}

// Wait until @bit of the status register is @set; false if that takes too long.
static bool wait_status(uint8_t bit, bool set)
{
    for (unsigned i = 0; i < WAIT_READS; i++) {
        if (!(inb(STATUS) & bit) != set)
            return true;
    }
    return false;
}

static bool write_port(uint16_t port, uint8_t value)
{
    if (!wait_status(STATUS_IBF, false))
        return false;
    outb(port, value);
    return true;
}

static bool read_data(uint8_t *value)
{
    if (!wait_status(STATUS_OBF, true))
        return false;
    *value = inb(DATA);
    return true;
}

static void flush(void)
{
    for (unsigned i = 0; i < FLUSH_BYTES && inb(STATUS) & STATUS_OBF; i++)
        inb(DATA);
}

// Both devices are silenced first: a byte of theirs would pass for the command byte. The mouse
// stays silent, as nobody would read its bytes and they would hold up the keyboard's.
static bool configure(void)
{
    if (!write_port(COMMAND, DISABLE_KEYBOARD) || !write_port(COMMAND, DISABLE_AUX))
        return false;
    flush();
    uint8_t config;
    if (!write_port(COMMAND, READ_COMMAND_BYTE) || !read_data(&config))
        return false;
    config |= CONFIG_KEYBOARD_INTERRUPT | CONFIG_TRANSLATE;
    config &= ~CONFIG_DISABLE_KEYBOARD;
    return write_port(COMMAND, WRITE_COMMAND_BYTE) && write_port(DATA, config);
}

void keyboard_init(void)
{
    if (inb(STATUS) == STATUS_NONE || !configure())
        return;
    trap_handler(VECTOR_KEYBOARD, keyboard_trap);
    apic_route(KEYBOARD_IRQ, VECTOR_KEYBOARD);
    // A key that came while the pin was masked has lost its edge and would block all others.
    flush();
}
