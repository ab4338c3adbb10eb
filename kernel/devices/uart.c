// The driver of COM1, a 16550 UART. The register names are those of the PC16550D data sheet,
// section 8.
#include "devices/uart.h"

#include "cpu/x86.h"

#define COM1 0x3F8

// Registers: PC16550D, table II.
enum {
    RBR = COM1 + 0, // receiver buffer, read
    THR = COM1 + 0, // transmitter holding, write
    DLL = COM1 + 0, // divisor latch, while LCR.DLAB is set
    DLM = COM1 + 1,
    IER = COM1 + 1, // interrupt enable
    FCR = COM1 + 2, // FIFO control
    LCR = COM1 + 3, // line control
    MCR = COM1 + 4, // modem control
    LSR = COM1 + 5, // line status
    SCR = COM1 + 7, // scratch
};

// Register bits: PC16550D, 8.1 to 8.8.
#define IER_ERBFI    0x01 // received data available
#define FCR_ENABLE   0x01 // the receiver's trigger level is then one byte
#define FCR_RX_RESET 0x02
#define FCR_TX_RESET 0x04
#define LCR_8N1      0x03
#define LCR_DLAB     0x80
#define MCR_DTR      0x01
#define MCR_RTS      0x02
#define MCR_OUT2     0x08 // gates the interrupt line on a PC
#define LSR_DR       0x01 // data ready
#define LSR_THRE     0x20 // transmitter holding register empty
#define LSR_TEMT     0x40 // transmitter empty

#define DIVISOR_115200 1

static bool present;

// Where no device answers, reads give all ones, whatever was written.
static bool scratch_keeps(uint8_t value)
{
    outb(SCR, value);
    return inb(SCR) == value;
}

void uart_init(void)
{
    present = scratch_keeps(0x5A) && scratch_keeps(0xA5);
    if (!present)
        return;
    outb(LCR, LCR_DLAB | LCR_8N1);
    outb(DLL, DIVISOR_115200);
    outb(DLM, 0);
    outb(LCR, LCR_8N1);
    outb(IER, 0);
    outb(FCR, FCR_ENABLE | FCR_RX_RESET | FCR_TX_RESET);
    outb(MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
}

static void send(char byte)
{
    while (!(inb(LSR) & LSR_THRE))
        pause();
    outb(THR, (uint8_t)byte);
}

void uart_write(const char *text, size_t length)
{
    if (!present)
        return;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            send('\r');
        send(text[i]);
    }
    while (!(inb(LSR) & LSR_TEMT)) // a power-off right behind it must not cut the last byte off
        pause();
}

bool uart_receive(uint8_t *byte)
{
    if (!present || !(inb(LSR) & LSR_DR))
        return false;
    *byte = inb(RBR);
    return true;
}

bool uart_is_present(void)
{
    return present;
}

void uart_enable_interrupts(void)
{
    if (present)
        outb(IER, IER_ERBFI);
}
