/* SPDX-License-Identifier: MIT */
/*
 * The fake machine's eye on memory: allocations that fail on demand, frames that reach a domain
 * uncleared (MM-12), unset bytes that reach a guest (HC-3), copies that run out of a frame (HC-1),
 * and the balance of all frames (LC-4).
 *
 * The hypervisor's sources are unmodified: programs are linked with --wrap for the functions below
 * (UNIT_LDFLAGS). In a program that is not, the real functions run and the checks see nothing.
 *
 * Frames come out of the allocator filled with a pattern. In builds that fill new stack variables
 * with a pattern (-ftrivial-auto-var-init=pattern), eight bytes of it on their way to a guest were
 * never set by anybody.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "machine.h"

#include "../../hypervisor/core/page_priv.h"

#include <tenue/account.h>
#include <tenue/log.h>
#include <tenue/percpu.h>

#define DOMAINS_KNOWN 64u
#define STALE_BYTE 0xa5
#define DEAD_BYTE 0xdb
#ifdef __clang__
#define UNSET_BYTES 0xaaaaaaaaaaaaaaaaull
#else
#define UNSET_BYTES 0xfefefefefefefefeull
#endif

/* MemorySanitizer knows better than any pattern. */
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define MSAN 1
#endif
#endif
#ifndef MSAN
#define __msan_poison(p, n) ((void)(p), (void)(n))
#define __msan_check_mem_is_initialized(p, n) ((void)(p), (void)(n))
#endif

#define MAYBE __attribute__((weak))
MAYBE void *__real_hv_alloc_pages(unsigned order);
MAYBE void __real_hv_free_pages(void *p, unsigned order);
MAYBE struct page *__real_heap_alloc(unsigned order, unsigned addr_bits);
MAYBE struct page *__real_heap_take(unsigned order, unsigned addr_bits);
MAYBE int __real_domain_alloc_frames(struct domain *d, unsigned order, unsigned bits, mfn_t *m);
MAYBE void __real_domain_return_frame(struct domain *d, mfn_t mfn);
MAYBE int __real_page_get_and_type(mfn_t m, struct domain *d, enum page_type type);
MAYBE void *__real_memcpy(void *to, const void *from, size_t n);
MAYBE void *__real_memmove(void *to, const void *from, size_t n);
MAYBE void *__real_memset(void *to, int byte, size_t n);
MAYBE int __real_domain_create(const struct domain_config *cfg, struct domain **out);
void *__wrap_hv_alloc_pages(unsigned order);
void __wrap_hv_free_pages(void *p, unsigned order);
struct page *__wrap_heap_alloc(unsigned order, unsigned addr_bits);
struct page *__wrap_heap_take(unsigned order, unsigned addr_bits);
int __wrap_domain_alloc_frames(struct domain *d, unsigned order, unsigned bits, mfn_t *m);
void __wrap_domain_return_frame(struct domain *d, mfn_t mfn);
int __wrap_page_get_and_type(mfn_t m, struct domain *d, enum page_type type);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__wrap_memset(void *to, int byte, size_t n);
int __wrap_domain_create(const struct domain_config *cfg, struct domain **out);

unsigned fake_fail_alloc;

/* What is known of each frame. */
enum {
    OURS_FOREVER = 1, /* the hypervisor's, before there was any domain */
    EXPLAINED = 2,    /* in the audit that is under way */
    FRESH = 4,        /* taken from the allocator, not yet a domain's */
};
static uint8_t *notes;
static unsigned leaks;
static struct domain *known[DOMAINS_KNOWN]; /* created and not yet freed, listed or not */

/* --- allocation --- */

static bool fails(void)
{
    return fake_fail_alloc && --fake_fail_alloc == 0;
}

static inline uint8_t *note_of(mfn_t m)
{
    if (!notes)
        notes = calloc(fake_frames, 1);
    return &notes[m.n];
}

static bool holds_zeros(mfn_t m)
{
    const uint64_t *words = mfn_to_ptr(m);

    for (unsigned i = 0; i < PAGE_SIZE / sizeof(*words); i++)
        if (words[i] != 0)
            return false;
    return true;
}

/* What is taken may hold anything, unless the allocator claims that it holds zeros. */
static struct page *stale(struct page *first, unsigned order, bool claims)
{
    for (uint64_t i = 0; first && i < 1ull << order; i++) {
        const mfn_t m = mfn_add(page_mfn(first), i);

        if (claims && first[i].count & C_CLEAN) {
            if (!holds_zeros(m)) {
                log_err("frame %#lx is said to hold zeros", m.n);
                leaks++;
            }
            *note_of(m) |= FRESH;
            continue;
        }
        memset(mfn_to_ptr(m), STALE_BYTE, PAGE_SIZE);
        __msan_poison(mfn_to_ptr(m), PAGE_SIZE);
        *note_of(m) |= FRESH;
    }
    return first;
}

void *__wrap_hv_alloc_pages(unsigned order)
{
    return fails() ? NULL : __real_hv_alloc_pages(order);
}

struct page *__wrap_heap_alloc(unsigned order, unsigned addr_bits)
{
    return fails() ? NULL : stale(__real_heap_alloc(order, addr_bits), order, false);
}

struct page *__wrap_heap_take(unsigned order, unsigned addr_bits)
{
    struct page *p = fails() ? NULL : stale(__real_heap_take(order, addr_bits), order, true);

    fake_once(&fake_metal.after_heap_take);
    return p;
}

uint64_t *fake_written(mfn_t m)
{
    struct page *p = page_of(m);
    uint64_t never = 0;

    word_cas(&p->type, &never, type_bits(PGT_WRITABLE) | T_STAMPED | tlb_stamp());
    return mfn_to_ptr(m);
}

/* --- what reaches a domain --- */

static void reaches_domain(mfn_t m)
{
    uint8_t *note = note_of(m);

    if (!(*note & FRESH))
        return;
    *note &= (uint8_t)~FRESH;
    if (!holds_zeros(m)) {
        log_err("frame %#lx reaches a domain uncleared", m.n);
        leaks++;
    }
}

int __wrap_domain_alloc_frames(struct domain *d, unsigned order, unsigned bits, mfn_t *m)
{
    int rc = __real_domain_alloc_frames(d, order, bits, m);

    for (uint64_t i = 0; rc == 0 && i < 1ull << order; i++)
        reaches_domain(mfn_add(*m, i));
    return rc;
}

void __wrap_domain_return_frame(struct domain *d, mfn_t mfn)
{
    reaches_domain(mfn);
    __real_domain_return_frame(d, mfn);
}

void fake_output(const uint8_t *bytes, uint64_t count)
{
    uint64_t word;

    __msan_check_mem_is_initialized(bytes, count);
    for (uint64_t i = 0; i + sizeof(word) <= count; i++) {
        memcpy(&word, bytes + i, sizeof(word));
        if (word != UNSET_BYTES)
            continue;
        log_err("byte %lu of %lu copied to a guest was never set", i, count);
        leaks++;
        return;
    }
}

unsigned fake_leak_audit(void)
{
    const unsigned n = leaks;

    leaks = 0;
    return n;
}

/*
 * Frames lie side by side, so running over the end of one is no error for a sanitizer: it is for
 * us, except where the frames are the hypervisor's, or on their way to somebody.
 */
static void stays_inside(const void *p, size_t n)
{
    const uint64_t at = (uint64_t)((const uint8_t *)p - hal_direct_map);
    const uint64_t end = at + n;

    if (!frame_table || at >= frame_count << PAGE_SHIFT || n == 0 ||
        at >> PAGE_SHIFT == (end - 1) >> PAGE_SHIFT)
        return;
    for (uint64_t m = at >> PAGE_SHIFT; m <= (end - 1) >> PAGE_SHIFT; m++) {
        if (m < frame_count && !(frame_table[m].count & C_DOM))
            continue;
        log_err("an access of %lu bytes runs over the end of a frame into %#lx", n, m);
        leaks++;
        return;
    }
}

int __wrap_page_get_and_type(mfn_t m, struct domain *d, enum page_type type)
{
    if (fake_metal.before_get_and_type)
        fake_metal.before_get_and_type();
    return __real_page_get_and_type(m, d, type);
}

void *__wrap_memcpy(void *to, const void *from, size_t n)
{
    stays_inside(to, n);
    stays_inside(from, n);
    return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n)
{
    stays_inside(to, n);
    stays_inside(from, n);
    return __real_memmove(to, from, n);
}

void *__wrap_memset(void *to, int byte, size_t n)
{
    stays_inside(to, n);
    return __real_memset(to, byte, n);
}

/* --- domains, and what they explain --- */

int __wrap_domain_create(const struct domain_config *cfg, struct domain **out)
{
    int rc = __real_domain_create(cfg, out);

    for (unsigned i = 0; rc == 0 && i < DOMAINS_KNOWN; i++)
        if (!known[i]) {
            known[i] = *out;
            break;
        }
    return rc;
}

void __wrap_hv_free_pages(void *p, unsigned order)
{
    for (unsigned i = 0; p && i < DOMAINS_KNOWN; i++)
        if (known[i] == p)
            known[i] = NULL;
    if (p)
        __real_memset(p, DEAD_BYTE, PAGE_SIZE << order); /* who still uses it will not go far */
    __real_hv_free_pages(p, order);
}

static unsigned wrong;

static void explain(const void *p, unsigned order, const char *what)
{
    for (uint64_t i = 0; p && i < 1ull << order; i++) {
        const mfn_t m = mfn_add(ptr_to_mfn(p), i);
        const uint64_t state = page_of(m)->count & (C_HV | C_SHARED);

        if (state && !(*note_of(m) & EXPLAINED)) {
            *note_of(m) |= EXPLAINED;
            continue;
        }
        wrong++;
        log_err("frame %#lx (%s) is %s", m.n, what, state ? "in use twice" : "not ours");
    }
}

static void explain_grants(const struct grant_table *t)
{
    explain(t->frame, 0, "index of grant frames");
    for (uint32_t i = 0; i < t->frames; i++) {
        explain(t->frame[i].shared, 0, "grant frame");
        explain(t->frame[i].active, GRANT_ACTIVE_ORDER, "active grants");
    }
    explain(t->maptrack, 3, "index of handles");
    for (uint32_t i = 0; i < t->maptrack_frames; i++)
        explain(t->maptrack[i], 0, "handles");
}

static void explain_domain(const struct domain *d)
{
    explain(d, 0, "domain");
    explain(d->shared_info, 0, "shared info");
    explain(d->memmap.entries, 0, "memory map");
    explain_grants(&d->grant);
    for (unsigned i = 0; i < EVTCHN_PAGES; i++)
        explain(d->evtchn.pages[i], 0, "event channels");
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i]) {
            explain(d->vcpus[i], 0, "vcpu");
            explain(d->vcpus[i]->pv.traps, 0, "trap table");
            explain(d->vcpus[i]->hal, 0, "metal's state");
            explain(d->vcpus[i]->account, 0, "account");
        }
}

static void explain_all(void)
{
    for (unsigned i = 0; i < DOMAINS_KNOWN; i++)
        if (known[i])
            explain_domain(known[i]);
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        if (cpus[cpu]->trace) {
            explain(cpus[cpu]->trace, 0, "trace ring");
            explain((void *)cpus[cpu]->trace->slots, cpus[cpu]->trace->order, "trace records");
        }
}

void fake_memory_baseline(void)
{
    explain_all();
    for (uint64_t m = 0; m < frame_count; m++) {
        uint8_t *note = note_of(mfn_make(m));

        if (frame_table[m].count & C_HV && !(*note & EXPLAINED))
            *note |= OURS_FOREVER;
        *note &= (uint8_t)~EXPLAINED;
    }
}

static void check_frame(uint64_t m)
{
    uint8_t *note = &notes[m];
    const uint64_t count = frame_table[m].count;

    if (count & (C_HV | C_SHARED) && !(*note & (EXPLAINED | OURS_FOREVER))) {
        wrong++;
        log_err("frame %#lx (count %#lx) belongs to nothing that there is", m, count);
    }
    *note &= (uint8_t)~EXPLAINED;
}

static void check_references(const struct domain *d)
{
    uint32_t refs = (uint32_t)!d->unlisted + d->reap_queued;

    for (unsigned i = 0; i < DOMAINS_KNOWN; i++) {
        const struct grant_table *t = known[i] ? &known[i]->grant : NULL;

        for (uint32_t n = 0; t && n < t->maptrack_frames * MAPTRACK_PER_FRAME; n++) {
            const struct grant_maptrack *h =
                &t->maptrack[n / MAPTRACK_PER_FRAME][n % MAPTRACK_PER_FRAME];

            refs += h->flags != 0 && h->granter == d;
        }
    }
    if (refs == d->refs)
        return;
    wrong++;
    log_err("domain %u has %u references, %u are accounted for", d->domid, d->refs, refs);
}

unsigned fake_balance_audit(void)
{
    wrong = 0;
    if (!__real_domain_create)
        return 0;
    explain_all();
    for (uint64_t m = 0; m < frame_count; m++)
        check_frame(m);
    for (unsigned i = 0; i < DOMAINS_KNOWN; i++)
        if (known[i])
            check_references(known[i]);
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        if (cpus[cpu]->held_count) {
            wrong++;
            log_err("CPU %u holds %u locks between operations", cpu, cpus[cpu]->held_count);
        }
    return wrong;
}
