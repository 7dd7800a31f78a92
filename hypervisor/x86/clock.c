/* SPDX-License-Identifier: MIT */
/*
 * Time: the TSC, its rate measured once against HPET, else the ACPI PM timer (ADR 59). System time
 * 0 is when the clock was set up. hal_now() uses the very formula that guests use for
 * pvclock, so both agree to the nanosecond.
 */
#include <tenue/hal.h>
#include <tenue/log.h>

#include "asm.h"
#include "lib.h"
#include "machine.h"

#define WINDOW_NS (10 * 1000 * 1000ull)
#define WINDOWS 5u

#define HPET_PERIOD 0x004
#define HPET_CONFIG 0x010
#define HPET_COUNTER 0x0f0
#define HPET_FS_PER_NS 1000000ull
#define HPET_PERIOD_MAX 100000000u

#define PM_TIMER_HZ 3579545ull

static struct vcpu_time_info params = {.tsc_to_system_mul = 1u << 31, .tsc_shift = 1};
uint32_t hal_tsc_khz;
static uint64_t apic_ticks_per_ns; /* 32.32 fixed point */
uint64_t hal_wallclock_at_boot;
static volatile uint8_t *hpet;

struct reference {
    const char *name;
    uint64_t (*read)(void);
    uint64_t hz;
    uint64_t mask;
};

static uint64_t read_hpet(void)
{
    return *(volatile uint32_t *)(hpet + HPET_COUNTER);
}

static uint64_t read_pm_timer(void)
{
    return inl(acpi.pm_timer_port);
}

/* Each returns false when the machine has it not. */
static bool use_hpet(struct reference *r)
{
    uint32_t period;

    if (acpi.hpet_addr == 0)
        return false;
    hpet = map_device(acpi.hpet_addr, 1024, MAP_UC);
    period = *(volatile uint32_t *)(hpet + HPET_PERIOD);
    if (period == 0 || period > HPET_PERIOD_MAX)
        return false;
    *(volatile uint32_t *)(hpet + HPET_CONFIG) |= 1;
    *r = (struct reference){"HPET", read_hpet, NS_PER_SEC * HPET_FS_PER_NS / period, 0xffffffff};
    return true;
}

static bool use_pm_timer(struct reference *r)
{
    *r = (struct reference){"PM timer", read_pm_timer, PM_TIMER_HZ,
                            acpi.pm_timer_32bit ? 0xffffffff : 0xffffff};
    return acpi.pm_timer_port != 0;
}

/* The one that was asked for, else the best there is. */
static void choose_reference(struct reference *r)
{
    if (!(x86_options.pm_timer && use_pm_timer(r)) && !use_hpet(r) && !use_pm_timer(r))
        boot_fail("clock: no HPET and no ACPI PM timer: enable one in the machine's firmware");
}

static void set_rate(uint64_t tsc_hz)
{
    int8_t shift = 0;
    uint64_t scaled = tsc_hz;

    /* (delta << shift) * mul >> 32 with mul below 2^32 and as large as can be. */
    for (; scaled > NS_PER_SEC * 2; shift--)
        scaled >>= 1;
    for (; scaled <= NS_PER_SEC; shift++)
        scaled <<= 1;
    params.tsc_shift = shift;
    params.tsc_to_system_mul = (uint32_t)((NS_PER_SEC << 32) / scaled);
    hal_tsc_khz = (uint32_t)(tsc_hz / 1000);
}

/* a * b / c, where that fits in 64 bits. */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t q, rest;

    __asm__("mulq %3; divq %4" : "=&a"(q), "=&d"(rest) : "0"(a), "rm"(b), "rm"(c) : "cc");
    return q;
}

/* One stretch of the reference; gap: the longest that we did not look. */
struct window {
    uint64_t passed, tsc, gap;
    uint32_t apic;
};

static struct window measure(const struct reference *r)
{
    const uint64_t want = r->hz * WINDOW_NS / NS_PER_SEC, before = hal_rdtsc();
    const uint64_t start = r->read(), first = hal_rdtsc();
    const uint32_t apic = apic_timer_count();
    struct window w = {.gap = first - before};

    while (w.passed < want) {
        uint64_t now;

        w.passed = (r->read() - start) & r->mask;
        w.apic = apic - apic_timer_count();
        now = hal_rdtsc() - first;
        w.gap = MAX(w.gap, now - w.tsc);
        w.tsc = now;
    }
    return w;
}

/* Both rates. Who runs us may stop us anywhere: the window that was disturbed least counts. */
static void calibrate(const struct reference *r)
{
    struct window best = {.gap = ~0ull}, w;

    apic_timer_set(0xffffffff);
    for (unsigned i = 0; i < WINDOWS; i++) {
        w = measure(r);
        if (w.gap < best.gap)
            best = w;
    }
    apic_timer_set(0);
    set_rate(mul_div(best.tsc, r->hz, best.passed));
    apic_ticks_per_ns = mul_div(mul_div(best.apic, r->hz, best.passed), 1ull << 32, NS_PER_SEC);
}

static uint64_t tsc_to_ns(uint64_t delta)
{
    delta = params.tsc_shift < 0 ? delta >> -params.tsc_shift : delta << params.tsc_shift;
    return (uint64_t)((unsigned __int128)delta * params.tsc_to_system_mul >> 32);
}

ns_t hal_now(void)
{
    return tsc_to_ns(hal_rdtsc() - params.tsc_timestamp);
}

void hal_time_params(struct vcpu_time_info *t)
{
    *t = params;
    t->flags = cpu_count == 1 ? XEN_PVCLOCK_TSC_STABLE_BIT : 0; /* else offsets may differ */
}

void hal_timer_arm(ns_t deadline)
{
    ns_t now, delta;
    uint64_t ticks;

    if (deadline == NS_NEVER) {
        apic_timer_set(0);
        return;
    }
    now = hal_now();
    delta = deadline > now ? deadline - now : 0;
    ticks = (uint64_t)((unsigned __int128)delta * apic_ticks_per_ns >> 32) + 1;
    apic_timer_set((uint32_t)MIN(ticks, 0xffffffffull));
}

static unsigned cmos(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

enum rtc_field { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, RTC_FIELDS };

static void rtc_read(unsigned now[RTC_FIELDS])
{
    static const uint8_t registers[RTC_FIELDS] = {0, 2, 4, 7, 8, 9};

    for (unsigned i = 0; i < RTC_FIELDS; i++)
        now[i] = cmos(registers[i]);
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
static uint64_t days_of(unsigned y, unsigned m, unsigned d)
{
    if (m <= 2) {
        y--;
        m += 12;
    }
    return 365ull * y + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5 + d - 1 - 719468;
}

static uint64_t rtc_seconds(void)
{
    unsigned a[RTC_FIELDS], b[RTC_FIELDS], status = cmos(0x0b);
    bool pm;

    for (unsigned tries = 0; tries < 1000000 && (cmos(0x0a) & 0x80); tries++)
        cpu_relax(); /* an update is under way */
    do {             /* two equal readings: none was cut by an update */
        rtc_read(a);
        rtc_read(b);
    } while (memcmp(a, b, sizeof(a)) != 0);
    pm = !(status & 2) && (a[HOUR] & 0x80);
    a[HOUR] &= 0x7f;
    for (unsigned i = 0; i < RTC_FIELDS && !(status & 4); i++)
        a[i] = (a[i] >> 4) * 10 + (a[i] & 15); /* from BCD */
    if (!(status & 2))
        a[HOUR] = a[HOUR] % 12 + (pm ? 12 : 0);
    return days_of(2000 + a[YEAR], a[MONTH], a[DAY]) * 86400 + a[HOUR] * 3600 + a[MINUTE] * 60 +
           a[SECOND];
}

void clock_init(void)
{
    struct reference r;

    choose_reference(&r);
    calibrate(&r);
    params.tsc_timestamp = hal_rdtsc();
    hal_wallclock_at_boot = rtc_seconds() - hal_now() / NS_PER_SEC;
    log_info("clock: TSC at %u.%03u MHz by %s\n", hal_tsc_khz / 1000, hal_tsc_khz % 1000, r.name);
}
