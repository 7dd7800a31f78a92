/* SPDX-License-Identifier: MIT */
/*
 * The notes (record.h), of calls and of events whose handlers run. Room for a note is taken by one
 * atomic addition, so vcpus may make calls at once; when it is used up, the rest is only counted. A
 * loop that waits would use it up with one answer: what a place is told again and again is noted so
 * many times and not more. This file is built without FRONT_RECORD: its own calls are nobody's
 * business.
 */
#define __XEN_TOOLS__ 1
#include "record.h"

#include <tenue-front/front.h>
#include <tenue-front/x86.h>
#include <xen/callback.h>
#include <xen/domctl.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sysctl.h>
#include <tenue_op.h>

#define NOTES 6000u
#define REPETITIONS 64u /* of notes of one place; then only results that are new there */
#define PLACES 1024u    /* a power of two */
#define RESULTS 6u
#define FIELDS_ROOM (256u * 1024)
#define EVENT 0xff

struct note {
    u64 place;
    s64 rc, ticks, operation;
    u32 fields, fields_len; /* in the pool */
    u8 nr;
};

/* A place that makes calls, and one operation called there. */
struct place {
    u64 key; /* 0: nobody's */
    u32 calls, nr_results;
    s64 results[RESULTS];
};

/* What the hypervisor writes for an operation: where in the structure, and how much. */
struct told {
    u8 nr, arg;
    s16 operation;
    u16 at, size;
    const char *name;
};

#define WHOLE(type) 0, sizeof(type)
#define PART(type, field) offsetof(type, field), sizeof(((type *)0)->field)
#define TOLD(nr, arg, operation, name, where)                                                      \
    {                                                                                              \
        nr, arg, operation, where, name                                                            \
    }
static const struct told tolds[] = {
#include "told.inc"
};

static struct note notes[NOTES];
static struct place places[PLACES];
static char pool[FIELDS_ROOM];
static u32 nr_notes, pool_used;
static bool dumping;

unsigned record_count(void)
{
    u32 n = __atomic_load_n(&nr_notes, __ATOMIC_RELAXED);

    return n < NOTES ? n : NOTES;
}

s64 record_cost(unsigned from, unsigned nr, long operation)
{
    for (unsigned i = record_count(); i-- > from;)
        if (notes[i].nr == nr && notes[i].operation == operation)
            return notes[i].ticks;
    return -1;
}

/* Bytes of the guest's own memory, which may not be there. */
static bool peek(u64 at, void *to, unsigned len)
{
    u64 word;

    for (unsigned i = 0; i < len; i++) {
        const u64 *from = (const u64 *)((at + i) & ~7UL);

        if (front_try_read(from, &word) != FAULT_NONE)
            return false;
        ((u8 *)to)[i] = (u8)(word >> 8 * ((at + i) & 7));
    }
    return true;
}

static s64 operation_of(u64 nr, u64 a1)
{
    u64 ptr = 0;
    u32 cmd = 0;

    switch (nr) {
    case __HYPERVISOR_mmu_update:
        return peek(a1, &ptr, sizeof(ptr)) ? (s64)(ptr & 7) : RECORD_NO_OPERATION;
    case __HYPERVISOR_mmuext_op:
    case __HYPERVISOR_domctl:
    case __HYPERVISOR_sysctl:
    case __HYPERVISOR_platform_op:
        return peek(a1, &cmd, sizeof(cmd)) ? (s64)cmd : RECORD_NO_OPERATION;
    case __HYPERVISOR_memory_op:
        return (s64)(a1 & 63);
    case __HYPERVISOR_sched_op:
    case __HYPERVISOR_sched_op_compat:
    case __HYPERVISOR_event_channel_op:
    case __HYPERVISOR_grant_table_op:
    case __HYPERVISOR_vcpu_op:
    case __HYPERVISOR_xen_version:
    case __HYPERVISOR_console_io:
    case __HYPERVISOR_physdev_op:
    case __HYPERVISOR_callback_op:
    case __HYPERVISOR_nmi_op:
    case __HYPERVISOR_vm_assist:
    case __HYPERVISOR_set_segment_base:
    case __HYPERVISOR_tenue_op:
        return (s64)(u32)a1;
    default:
        return RECORD_NO_OPERATION;
    }
}

/* "name=hex ..." of what was told. */
static void note_fields(struct note *n, const u64 *args)
{
    char text[2048];
    u32 used = 0;

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(tolds); i++) {
        const struct told *t = &tolds[i];
        u8 bytes[64];

        if (t->nr != n->nr || t->operation != n->operation || t->size > sizeof(bytes) ||
            !peek(args[t->arg] + t->at, bytes, t->size) || used + 256 > sizeof(text))
            continue;
        used += (u32)front_snprintf(text + used, 64, " %s=", t->name);
        for (unsigned b = 0; b < t->size; b++)
            used += (u32)front_snprintf(text + used, 8, "%02x", bytes[b]);
    }
    if (!used)
        return;
    n->fields = __atomic_fetch_add(&pool_used, used + 1, __ATOMIC_RELAXED);
    if (n->fields > sizeof(pool) - sizeof(text))
        return;
    memcpy(pool + n->fields, text, used + 1);
    n->fields_len = used;
}

/* Whether this answer is worth a note: one of the place's first, or one it did not get before. */
static bool notable(u64 place, s64 operation, s64 rc)
{
    u64 key = place ^ (u64)operation << 48;
    struct place *p = NULL;
    bool novel = true;
    u32 known;

    for (u32 i = 0; i < PLACES; i++) {
        u64 none = 0;

        p = &places[((key * 0x9e3779b97f4a7c15UL >> 32) + i) & (PLACES - 1)];
        if (__atomic_compare_exchange_n(&p->key, &none, key, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED) ||
            none == key)
            break;
    }
    if (p->key != key) /* no room: rather a note too many */
        return true;
    known = READ_ONCE(p->nr_results);
    for (u32 i = 0; i < known; i++)
        novel &= p->results[i] != rc;
    if (!novel || known == RESULTS)
        return __atomic_fetch_add(&p->calls, 1, __ATOMIC_RELAXED) < REPETITIONS;
    /* Of vcpus that are here at once, one may overwrite the other's: noted once more, then. */
    p->results[known] = rc;
    WRITE_ONCE(p->nr_results, known + 1);
    return true;
}

static struct note *take(void)
{
    u32 i = __atomic_fetch_add(&nr_notes, 1, __ATOMIC_RELAXED);

    return i < NOTES ? &notes[i] : NULL;
}

long front_hypercall_recorded(u64 nr, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
    const u64 args[] = {a1, a2, a3, a4, a5};
    u64 place = (u64)__builtin_return_address(0), before, after;
    struct note *n;
    s64 operation;
    long rc;

    if (dumping) /* the printing of notes is none */
        return front_hypercall(nr, a1, a2, a3, a4, a5);
    operation = operation_of(nr, a1);
    before = front_rdtsc();
    rc = front_hypercall(nr, a1, a2, a3, a4, a5);
    after = front_rdtsc();
    n = notable(place, operation, rc) ? take() : NULL;
    if (!n)
        return rc;
    *n = (struct note){.place = place,
                       .rc = rc,
                       .ticks = (s64)(after - before),
                       .operation = operation,
                       .nr = (u8)nr};
    if (rc == 0)
        note_fields(n, args);
    return rc;
}

void front_event_recorded(unsigned port)
{
    struct note *n = dumping ? NULL : take();

    if (n)
        *n = (struct note){.rc = port, .nr = EVENT};
}

void record_dump(void)
{
#ifdef RECORD_DUMP
    dumping = true;
    for (unsigned i = 0; i < record_count(); i++) {
        const struct note *n = &notes[i];

        if (n->nr == EVENT)
            front_printf("REC event %ld\n", (long)n->rc);
        else
            front_printf("REC %lx %u %ld %ld %ld%s\n", n->place, n->nr, (long)n->operation,
                         (long)n->rc, (long)n->ticks, n->fields_len ? pool + n->fields : "");
    }
    if (nr_notes > NOTES)
        front_printf("REC lost %u\n", nr_notes - NOTES);
#endif
}
