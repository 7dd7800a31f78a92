/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls at random, from one seed, on one vcpu or two at once. Most are well formed, about the
 * pages, ports and grants that this guest has, so that a good share of them is accepted and changes
 * something; the others are junk from the number on. Left out is only what would end this guest, or
 * take away its voice, at once: the subject is what the hypervisor bears, not how fast a guest can
 * end itself. It often breaks itself all the same, and is then made anew.
 *
 * It says every CALLS_SAID calls how many it made and how many were taken, never waiting for room
 * in the console's ring: nobody promises that the other end still reads.
 */
#include "random.h"

#include <tenue-front/port.h>

#include <xen/io/console.h>

#define CALLS_SAID 20000u
#define TIDY_CALLS 2000u
#define SUMS_SAID (10 * CALLS_SAID)

struct hand hands[HANDS];
u8 *page[PAGES];
bool lost[PAGES];
evtchn_port_t first_port;
domid_t own_id;

static void several(struct call *c);

static const struct {
    const char *name;
    u32 weight;
    void (*fill)(struct call *c);
} kinds[] = {
    {"junk", 4, fill_junk},
    {"memory", 2, fill_memory_moves},
    {"exchange", 1, fill_memory_exchange},
    {"memory-asks", 1, fill_memory_asks},
    {"mmu", 4, fill_mmu_update},
    {"mmuext", 4, fill_mmuext},
    {"va", 4, fill_va_mapping},
    {"desc", 2, fill_descriptors},
    {"event", 3, fill_events},
    {"grant", 4, fill_grants},
    {"vcpu", 1, fill_vcpus},
    {"small", 2, fill_small_ones},
    {"control", 1, fill_control},
    {"multi", 2, several},
};
static struct {
    u32 made, taken;
} count[FRONT_ARRAY_SIZE(kinds)], all;

static void counted(u32 kind, bool accepted)
{
    count[kind].made++;
    count[kind].taken += accepted;
    all.made++;
    all.taken += accepted;
}

static u32 kind_next(void)
{
    u64 sum = 0, at;
    u32 k = 0;

    for (u32 i = 0; i < FRONT_ARRAY_SIZE(kinds); i++)
        sum += kinds[i].weight;
    for (at = any(sum); at >= kinds[k].weight; k++)
        at -= kinds[k].weight;
    return k;
}

/* What would end this guest, or make it dumb or deaf, by doing what it is told. */
static bool suicide(const struct call *c)
{
    switch (c->nr) {
    case __HYPERVISOR_iret:
    case __HYPERVISOR_sched_op_compat:
    case __HYPERVISOR_set_debugreg:
    case __HYPERVISOR_set_trap_table:
    case __HYPERVISOR_set_callbacks:
    case __HYPERVISOR_callback_op:
    case __HYPERVISOR_nmi_op:
        return true;
    case __HYPERVISOR_multicall: /* only with entries that were looked at */
    case __HYPERVISOR_mmuext_op:
    case __HYPERVISOR_sched_op:
        return !c->chosen;
    case __HYPERVISOR_vcpu_op:
        return c->arg[0] == VCPUOP_down || c->arg[0] == VCPUOP_register_vcpu_info ||
               c->arg[0] == VCPUOP_send_nmi;
    case __HYPERVISOR_event_channel_op:
        return c->arg[0] == EVTCHNOP_reset;
    case __HYPERVISOR_console_io:
        return c->arg[0] == CONSOLEIO_write;
    }
    return false;
}

/* ---- making them ---- */

static void fill(struct call *c, u32 kind, u32 slot)
{
    do {
        *c = (struct call){.arg[3] = DOMID_SELF, .slot = hand()->slots[slot]};
        kinds[kind].fill(c);
    } while (suicide(c));
}

static bool taken(const struct call *c, long rc)
{
    return rc >= 0 && (!c->status || *c->status == 0);
}

/* Frames that went and came, so that there go on being pages to play with. */
static void frames_moved(const struct call *c, long rc)
{
    const xen_pfn_t *list = (const void *)(c->slot + LIST_AT);
    bool gone = c->arg[0] == XENMEM_decrease_reservation;
    bool came = c->arg[0] == XENMEM_increase_reservation || c->arg[0] == XENMEM_populate_physmap;

    if (c->nr != __HYPERVISOR_memory_op || !c->chosen || !(gone || came))
        return;
    for (long n = 0; n < 4 && n < rc; n++) {
        for (u32 i = 0; i < PAGES; i++) {
            u64 *mfn = &front_p2m[front_va_to_pfn(page[i])];

            if (gone ? *mfn != list[n] : !lost[i])
                continue;
            lost[i] = gone;
            if (came)
                *mfn = list[n];
            break;
        }
    }
}

/* One frame for another, which is then the page's. */
static void frame_exchanged(const struct call *c)
{
    const xen_pfn_t *list = (const void *)(c->slot + LIST_AT);

    for (u32 i = 0; i < PAGES; i++)
        if (front_va_to_mfn(page[i]) == list[0])
            front_p2m[front_va_to_pfn(page[i])] = list[4];
}

/* Up to SLOTS calls in one; at times itself is among them. */
static void several(struct call *c)
{
    struct hand *h = hand();
    u32 n = 1 + (u32)any(SLOTS);

    for (u32 i = 0; i < n; i++) {
        u32 k = kind_next();

        if (kinds[k].fill == several || kinds[k].fill == fill_memory_moves ||
            kinds[k].fill == fill_memory_exchange)
            k = 0;
        h->kind[i] = k;
        fill(&h->part[i], k, i);
        h->entries[i] = (multicall_entry_t){.op = h->part[i].nr};
        memcpy(h->entries[i].args, h->part[i].arg, sizeof(h->part[i].arg));
    }
    if (any(16) == 0)
        h->entries[any(n)] =
            (multicall_entry_t){.op = __HYPERVISOR_multicall, .args = {(u64)h->entries, n}};
    if (front_hypercall(__HYPERVISOR_multicall, (u64)h->entries, n, 0, 0, 0) == 0) {
        for (u32 i = 0; i < n; i++)
            counted(h->kind[i], taken(&h->part[i], (long)h->entries[i].result));
    }
    /* what counts for the kind itself */
    call_set(c, __HYPERVISOR_xen_version, XENVER_version, 0, 0);
}

/* ---- what is said ---- */

static void tell(const char *text)
{
    struct xencons_interface *ring = front_port_map(front_si->console.domU.mfn);
    size_t len = strlen(text);
    u32 used = ring->out_prod - READ_ONCE(ring->out_cons);

    if (used <= sizeof(ring->out) && sizeof(ring->out) - used >= len)
        front_console_write(text, len);
}

static void tell_sums(void)
{
    char line[512];
    int at = front_snprintf(line, sizeof(line), "rogue: taken:");

    for (u32 i = 0; i < FRONT_ARRAY_SIZE(kinds) && at < (int)sizeof(line) - 48; i++)
        at += front_snprintf(line + at, sizeof(line) - (size_t)at, " %s %u/%u", kinds[i].name,
                             count[i].taken, count[i].made);
    front_snprintf(line + at, sizeof(line) - (size_t)at, "\n");
    tell(line);
}

static void tell_progress(void)
{
    char line[96];

    front_snprintf(line, sizeof(line), "rogue: answers: %u calls, %u of them taken\n", all.made,
                   all.taken);
    tell(line);
}

/* What all those calls left of the pages decays: now and then they are made what they were, as far
 * as that can be done. */
static void tidy(void)
{
    hc_set_gdt(0, 0);
    front_mmuext_va(MMUEXT_SET_LDT, 0, 0);
    for (u32 i = 0; i < PAGES; i++)
        front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(page[i]));
    for (u32 i = 0; i < PAGES; i++)
        front_unmap((u64)page[i]);
    for (u32 i = 0; i < PAGES; i++) {
        void *to = page[i];
        u64 words = FRONT_PAGE_SIZE / 8;

        /* The other vcpu may have a hand in it. */
        if (front_page_rw(to) || FAULT("rep stosq", : "+D"(to), "+c"(words) : "a"(0UL) : "memory"))
            continue;
        if (i < TABLES)
            front_page_ro(page[i]);
    }
}

/* It has broken something of its own. The console's ring may be what it was, so it says so to the
 * hypervisor's, and does not wait for anybody. */
static bool broken(struct front_regs *regs)
{
    const struct call *last = &hand()->call;
    char line[160];
    u64 fixup;
    int len;

    if (front_extable_find(regs->rip, &fixup))
        return false;
    len = front_snprintf(
        line, sizeof(line),
        "rogue: broken after %u calls: vector %lu rip %lx cr2 %lx; call %lu %lx %lx\n", all.made,
        regs->vector, regs->rip, front_vcpu_info(front_vcpu_id())->arch.cr2, last->nr, last->arg[0],
        last->arg[1]);
    hc_console_io(CONSOLEIO_write, len, line);
    front_shutdown(SHUTDOWN_crash);
}

static void call_next(void)
{
    struct call *c = &hand()->call;
    u32 kind = kind_next();
    long rc;

    fill(c, kind, 0);
    rc = front_hypercall(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4]);
    counted(kind, taken(c, rc));
    frames_moved(c, rc);
    if (kinds[kind].fill == fill_memory_exchange && rc == 0)
        frame_exchanged(c);
    if (any(TIDY_CALLS) == 0)
        tidy();
}

static void second_vcpu(void)
{
    for (;;)
        call_next();
}

static void prepare(void)
{
    evtchn_status_t status = {0};

    front_grant_init();
    for (u32 i = 0; i < PAGES; i++)
        page[i] = front_page_alloc();
    front_page_ro(front_page_alloc()); /* lists in the pages end here */
    for (u32 i = 0; i < HANDS; i++)
        front_page_ro(hands[i].slots[SLOTS + 6]);
    first_port = (evtchn_port_t)front_evtchn_alloc(DOMID_SELF);
    front_evtchn_status(first_port, &status);
    own_id = status.u.unbound.dom; /* whom the port waits for, by number */
    for (unsigned vector = 0; vector < 32; vector++)
        front_trap_set(vector, broken);
}

void random_calls(u64 seed)
{
    u32 said = 0, sums = 0;

    seed = seed ? seed : front_rdtsc() | 1;
    front_printf("rogue: seed %lu\n", seed);
    for (u32 i = 0; i < HANDS; i++)
        hands[i].random = seed + i;
    prepare();
    front_console_drain();
    front_irq_disable();
    front_vcpu_start(1, second_vcpu); /* if there is one */
    for (;;) {
        call_next();
        if (all.made - said < CALLS_SAID)
            continue;
        said = all.made;
        tell_progress();
        if (said - sums >= SUMS_SAID) {
            tell_sums();
            sums = said;
        }
    }
}
