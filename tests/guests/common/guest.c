/* SPDX-License-Identifier: MIT */
/*
 * Counts checks, keeps the worst status and the first reason, prints the verdict line. Owns the
 * guest's exit: a reset, which the emulator turns into its own end. Before that the control domain
 * has the hypervisor recount itself (the debug key `a`): whatever a test did, its books must
 * balance.
 */
#define __XEN_TOOLS__ 1
#include "guest.h"
#include "record.h"

#include <xen/sysctl.h>

enum status { PASS, SKIP, ERROR, FAIL };

static enum status status;
static unsigned nr_checks, nr_failed;
static char reason[200];

static void escalate(enum status to, const char *fmt, va_list ap)
{
    if (to <= status)
        return;
    status = to;
    front_vsnprintf(reason, sizeof(reason), fmt, ap);
}

static void escalate_fmt(enum status to, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void escalate_fmt(enum status to, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    escalate(to, fmt, ap);
    va_end(ap);
}

static const char *base_name(const char *path)
{
    const char *base = path;

    for (; *path; path++) {
        if (*path == '/')
            base = path + 1;
    }
    return base;
}

bool guest_check(bool ok, const char *file, int line, const char *what, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    nr_checks++;
    if (ok)
        return true;
    nr_failed++;
    va_start(ap, fmt);
    front_vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    front_printf("failed: %s:%d: %s%s\n", base_name(file), line, what, text);
    escalate_fmt(FAIL, "%s:%d: %s%s", base_name(file), line, what, text);
    return false;
}

bool guest_check_eq(u64 got, u64 want, const char *file, int line, const char *what)
{
    return guest_check(got == want, file, line, what, ": is %lx (%ld), wanted %lx (%ld)", got,
                       (long)got, want, (long)want);
}

u64 guest_read_msr(u32 index, u64 *value)
{
    u32 low = (u32)*value, high = (u32)(*value >> 32);
    u64 fault = FAULT("rdmsr", : "+a"(low), "+d"(high) : "c"(index));

    *value = (u64)high << 32 | low;
    return fault;
}

u64 guest_write_msr(u32 index, u64 value)
{
    return FAULT("wrmsr", : : "a"((u32)value), "d"((u32)(value >> 32)), "c"(index));
}

void guest_skip(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    escalate(SKIP, fmt, ap);
    va_end(ap);
}

bool guest_on_xen(void)
{
    char extra[XEN_EXTRAVERSION_LEN] = "";

    hc_xen_version(XENVER_extraversion, extra);
    for (const char *p = extra; *p; p++) {
        if (!strncmp(p, "tenue", 5))
            return false;
    }
    return true;
}

/* What the hypervisor's console ring says after the last occurrence of `mark`; "" when nothing. */
static const char *console_after(const char *mark)
{
    static char text[16385];
    struct xen_sysctl op = {
        .cmd = XEN_SYSCTL_readconsole,
        .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
        .u.readconsole.count = sizeof(text) - 1,
    };
    const char *found = "";

    set_xen_guest_handle(op.u.readconsole.buffer, text);
    if (front_hc1(__HYPERVISOR_sysctl, &op))
        return "";
    text[op.u.readconsole.count] = 0;
    for (const char *p = text; *p; p++) {
        if (!strncmp(p, mark, strlen(mark)))
            found = p + strlen(mark);
    }
    return found;
}

void guest_audit(void)
{
    static char key = 'a';
    struct xen_sysctl op = {
        .cmd = XEN_SYSCTL_debug_keys,
        .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
        .u.debug_keys.nr_keys = 1,
    };
    const char *said;

    if (!front_is_initdomain() || guest_on_xen())
        return;
    set_xen_guest_handle(op.u.debug_keys.keys, &key);
    check_eq(front_hc1(__HYPERVISOR_sysctl, &op), 0);
    said = console_after("audit: ");
    if (strncmp(said, "not in this image", 17) != 0) /* built with HV_DIAG=0 */
        check(!strncmp(said, "0 violations", 12), "%.60s", said);
}

void guest_end(void)
{
    static const char *const names[] = {"PASS", "SKIP", "ERROR", "FAIL"};

#ifdef FRONT_RECORD
    record_dump();
#endif
    if (nr_failed > 1)
        front_printf("%u of %u checks failed\n", nr_failed, nr_checks);
    if (status == PASS)
        front_printf("VERDICT " GUEST_NAME ": PASS %u checks\n", nr_checks);
    else
        front_printf("VERDICT " GUEST_NAME ": %s %s\n", names[status], reason);
    front_console_drain();
    /* The control domain resets the machine; a guest must not be started again. */
    front_shutdown(front_is_initdomain() ? SHUTDOWN_reboot : SHUTDOWN_poweroff);
}

void front_dying(const char *why)
{
    escalate_fmt(ERROR, "%s", why);
    guest_end();
}

void front_main(void)
{
    guest_test();
    guest_audit();
    guest_end();
}
