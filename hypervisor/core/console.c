/* SPDX-License-Identifier: MIT */
/*
 * The serial console: output of the hypervisor and of the control domain, input for either, and
 * the console_io hypercall (public header xen.h).
 *
 * Input goes to the control domain; three times Ctrl-a switches it to the hypervisor's debug keys
 * and back. console_rx() may be called with interrupts just taken, so it only stores: the control
 * domain reads what it finds when VIRQ_CONSOLE arrives, keys wait for SOFTIRQ_WORK.
 *
 * Locks: console_lock (RANK_CONSOLE) serialises the port and the input ring; a guest's line buffer
 * is written by that guest's vcpus under it, too. Never held across a guest copy.
 */
#include <tenue/log.h>

#include <tenue/hypercall.h>
#include <tenue/vcpu.h>

#include "lib.h"

#define CHUNK 128u
#define RX_SIZE 512u /* power of two */
#define CTRL_A 1
#define SWITCH_COUNT 3

static struct spinlock console_lock = SPINLOCK_INIT(RANK_CONSOLE);
static char rx_ring[RX_SIZE];
static uint32_t rx_produced, rx_consumed; /* [console_lock] */
static char key_pending;                  /* [console_lock] 0: none */
static bool input_to_keys;                /* [console_lock] */
static unsigned switch_run;               /* [console_lock] Ctrl-a in a row */

/* The port wants \r\n; text between line feeds goes in one piece. */
void console_write(const char *s, size_t len)
{
    size_t start = 0;

    spin_lock(&console_lock);
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '\n')
            continue;
        hal_serial_write(s + start, i - start);
        hal_serial_write("\r\n", 2);
        start = i + 1;
    }
    hal_serial_write(s + start, len - start);
    spin_unlock(&console_lock);
}

void console_force_unlock(void)
{
    spin_lock_init(&console_lock, RANK_CONSOLE);
}

/* Where c goes; an incomplete or complete sequence to switch goes nowhere. */
static void rx_store(char c, bool *wake)
{
    switch_run = c == CTRL_A ? switch_run + 1 : 0;
    if (switch_run == SWITCH_COUNT) {
        switch_run = 0;
        input_to_keys = !input_to_keys;
    } else if (c != CTRL_A && input_to_keys) {
        key_pending = c;
    } else if (c != CTRL_A && rx_produced - rx_consumed < RX_SIZE) {
        rx_ring[rx_produced++ % RX_SIZE] = c;
        *wake = true;
    }
}

void console_rx(char c)
{
    bool was_keys, wake = false;

    spin_lock(&console_lock);
    was_keys = input_to_keys;
    rx_store(c, &wake);
    spin_unlock(&console_lock);

    if (was_keys != input_to_keys)
        log_info("*** input to %s (type Ctrl-a three times to switch)",
                 was_keys ? "the control domain" : "the hypervisor's debug keys, h for help");
    if (wake && control_domain)
        evtchn_send_global_virq(control_domain, VIRQ_CONSOLE);
    else if (key_pending)
        softirq_raise(SOFTIRQ_WORK);
}

void console_work(void)
{
    char key;

    spin_lock(&console_lock);
    key = key_pending;
    key_pending = 0;
    spin_unlock(&console_lock);
    if (key)
        debug_key(key);
}

static size_t rx_take(char *buf, size_t len)
{
    size_t n = 0;

    spin_lock(&console_lock);
    while (n < len && rx_consumed != rx_produced)
        buf[n++] = rx_ring[rx_consumed++ % RX_SIZE];
    spin_unlock(&console_lock);
    return n;
}

/* Only one CPU reads at a time in practice; characters taken before a fault are lost. */
static long console_read(uint64_t count, guest_va buf)
{
    char chunk[RX_SIZE];
    const size_t n = rx_take(chunk, MIN(count, sizeof(chunk)));

    return n && guest_write(buf, chunk, n) ? -XEN_EFAULT : (long)n;
}

/* One character of a guest's output: collect until its line is complete or full. */
static void guest_put(struct domain *d, char c)
{
    char line[sizeof(d->con.line) + 1];
    size_t len = 0;

    spin_lock(&console_lock);
    if (c >= ' ' && c < 0x7f)
        d->con.line[d->con.len++] = c;
    if (c == '\n' || d->con.len == sizeof(d->con.line)) {
        len = d->con.len;
        memcpy(line, d->con.line, len);
        d->con.len = 0;
    }
    spin_unlock(&console_lock);
    line[len] = 0;
    if (len)
        guest_console_line(d, line);
}

static long console_output(uint64_t count, guest_va buf)
{
    struct domain *d = current_domain();
    char chunk[CHUNK];
    uint64_t done = 0;

    while (done < count) {
        uint64_t n = MIN(count - done, (uint64_t)CHUNK);

        if (guest_read(chunk, guest_va_add(buf, done), n))
            return -XEN_EFAULT;
        if (d->is_control) {
            console_write(chunk, n);
        } else {
            for (uint64_t i = 0; i < n; i++)
                guest_put(d, chunk[i]);
        }
        done += n;
        if (done < count && hal_preempt_point())
            return hypercall_restart(__HYPERVISOR_console_io, CONSOLEIO_write, count - done,
                                     buf.va + done, 0, 0);
    }
    return 0;
}

long hc_console_io(uint32_t cmd, uint32_t count, uint64_t buf)
{
    switch (cmd) {
    case CONSOLEIO_write:
        return console_output(count, guest_va_make(buf));
    case CONSOLEIO_read:
        if (!current_domain()->is_control)
            return -XEN_EPERM;
        if (count > INT32_MAX)
            return -XEN_E2BIG;
        return console_read(count, guest_va_make(buf));
    default:
        return -XEN_ENOSYS;
    }
}
