/* SPDX-License-Identifier: MIT */
/*
 * One 16550 for the console. Output is polled (it must work in a panic), input comes by interrupt.
 * com1=BAUD[,DPS[,PORT[,IRQ]]] as Xen writes it: 115200,8n1,0x3f8,4.
 *
 * Callers serialise output (core/console.c).
 */
#include <tenue/hal.h>
#include <tenue/log.h>

#include "asm.h"
#include "lib.h"
#include "machine.h"

#define UART_DATA 0
#define UART_IER 1
#define UART_FCR 2
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define UART_SCRATCH 7

#define IER_RECEIVE 1
#define FCR_ENABLE_CLEAR 7
#define LCR_DLAB 0x80
#define MCR_DTR_RTS_OUT2 0xb
#define LSR_DATA 1
#define LSR_EMPTY 0x20
#define FIFO_DEPTH 16
#define UART_CLOCK 115200u
#define WAIT_MAX 100000u /* polls: a port that never empties must not stop us */

static uint16_t port; /* 0: no console */
static uint8_t irq;
static unsigned room; /* bytes that fit before the next poll */

/* The number at *s behind a comma, which goes past it; else `given`. */
static unsigned number(const char **s, unsigned given)
{
    uint64_t v = given;

    if (**s == ',')
        *s += 1 + str_number(*s + 1, strlen(*s + 1), &v);
    return (unsigned)v;
}

static uint8_t line_control(const char *dps)
{
    uint8_t lcr = (uint8_t)((dps[0] - '5') & 3);

    lcr |= dps[1] == 'o' ? 0x08 : dps[1] == 'e' ? 0x18 : 0;
    return (uint8_t)(lcr | (dps[2] == '2' ? 0x04 : 0));
}

static void program(uint64_t baud, uint8_t lcr)
{
    uint64_t divisor = baud != 0 && baud <= UART_CLOCK ? UART_CLOCK / baud : 1;

    outb(port + UART_IER, 0);
    outb(port + UART_LCR, LCR_DLAB | lcr);
    outb(port + UART_DATA, (uint8_t)divisor);
    outb(port + UART_IER, (uint8_t)(divisor >> 8));
    outb(port + UART_LCR, lcr);
    outb(port + UART_FCR, FCR_ENABLE_CLEAR);
    outb(port + UART_MCR, MCR_DTR_RTS_OUT2);
    room = 0;
}

static bool present(void)
{
    outb(port + UART_SCRATCH, 0x5a);
    return inb(port + UART_SCRATCH) == 0x5a;
}

void serial_init(void)
{
    const unsigned com = x86_options.serial_port;
    const char *s = x86_options.com[com];
    uint8_t lcr = 3; /* 8n1 */
    uint64_t baud;

    port = 0;
    if (!x86_options.serial)
        return;
    s += str_number(s, strlen(s), &baud);
    if (s[0] == ',' && s[1] >= '5' && s[1] <= '8' && s[2] != '\0' && s[3] != '\0') {
        lcr = line_control(s + 1);
        s += 4;
    }
    port = (uint16_t)number(&s, com == 0 ? 0x3f8 : 0x2f8);
    irq = (uint8_t)number(&s, com == 0 ? 4 : 3);
    if (present())
        program(baud, lcr);
    else
        port = 0;
}

static void wait_for_room(void)
{
    for (unsigned i = 0; i < WAIT_MAX && !(inb(port + UART_LSR) & LSR_EMPTY); i++)
        cpu_relax();
    room = FIFO_DEPTH;
}

void hal_serial_write(const char *s, size_t len)
{
    if (port == 0)
        return;
    for (size_t i = 0; i < len; i++) {
        if (room == 0)
            wait_for_room();
        outb(port + UART_DATA, (uint8_t)s[i]);
        room--;
    }
}

static void serial_interrupt(void)
{
    for (unsigned i = 0; i < 4 * FIFO_DEPTH && (inb(port + UART_LSR) & LSR_DATA); i++)
        console_rx((char)inb(port + UART_DATA));
}

void serial_start_receive(void)
{
    if (port == 0 || irq == 0)
        return;
    irq_claim_isa(irq, serial_interrupt);
    outb(port + UART_IER, IER_RECEIVE);
}

bool serial_owns_port(uint16_t p)
{
    return port != 0 && p >= port && p < port + 8;
}
