/* SPDX-License-Identifier: MIT */
/*
 * Contract: every operation whose length the caller chooses, at its greatest length, comes back.
 * Not judged here but by tests/latency, which counts from outside for how long the hypervisor keeps
 * interrupts off meanwhile, and cannot be preempted: so each is done a few times, with a timer of
 * ours about to expire.
 *
 * Invariants: HC-6, MM-8, LC-6, IRQ-3.
 * Sabotage: see tests/latency/run.
 */
#define __XEN_TOOLS__ 1
#include "guest.h"

#include <xen/domctl.h>
#include <xen/physdev.h>
#include <xen/sysctl.h>

GUEST_RUN("vcpus=1 memory=128 timeout=120 append=guest_loglvl=none");

#define WINDOW 0x0000100000000000UL
#define TABLES 64u
#define BATCH 4096u
#define TIMES 3u
#define DOMAINS 100u
#define ORDER 9u

static u64 *data, *tables[TABLES], *l2, *l3, *l4;
static mmu_update_t updates[BATCH];
static struct mmuext_op ext[BATCH];
static multicall_entry_t calls[BATCH];
static xen_pfn_t frames[1024], out[1024];
static u64 window_maddr;

static void soon(void)
{
    static u64 seed = 88172645463325252UL;

    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    hc_set_timer_op(front_time_ns() + 20000 + seed % 400000);
}

static u64 entry_for(const void *table)
{
    return front_pte(front_va_to_mfn(table), PTE_TABLE);
}

/* --- page tables --- */

static void fill(u64 *table, u64 value)
{
    check_eq(front_page_rw(table), 0);
    for (unsigned i = 0; i < 512; i++)
        table[i] = value;
    check_eq(front_page_ro(table), 0);
}

static void spoil(u64 *table, unsigned slot, u64 value)
{
    check_eq(front_page_rw(table), 0);
    table[slot] = value;
    check_eq(front_page_ro(table), 0);
}

/* Full tables of each level: an L4 of L3s, of L2s, of many L1s. */
static void tables_make(void)
{
    data = front_page_alloc();
    for (unsigned t = 0; t < TABLES; t++) {
        tables[t] = front_table_alloc();
        fill(tables[t], front_pte(front_va_to_mfn(data), PTE_KERN));
    }
    l2 = front_table_alloc();
    check_eq(front_page_rw(l2), 0);
    for (unsigned i = 0; i < 512; i++)
        l2[i] = entry_for(tables[i % TABLES]);
    check_eq(front_page_ro(l2), 0);
    l3 = front_table_alloc();
    fill(l3, entry_for(l2));
    l4 = front_table_alloc();
    fill(l4, entry_for(l3));
}

static int pin(unsigned cmd, const void *table)
{
    soon();
    return front_mmuext1(cmd, front_va_to_mfn(table));
}

static void pins(void)
{
    for (unsigned n = 0; n < TIMES; n++) {
        check_eq(pin(MMUEXT_PIN_L1_TABLE, tables[0]), 0);
        check_eq(pin(MMUEXT_UNPIN_TABLE, tables[0]), 0);
        check_eq(pin(MMUEXT_PIN_L2_TABLE, l2), 0);
        check_eq(pin(MMUEXT_UNPIN_TABLE, l2), 0);
        check_eq(pin(MMUEXT_PIN_L4_TABLE, l4), 0);
        check_eq(pin(MMUEXT_UNPIN_TABLE, l4), 0);
    }
    /* Refused at their very last entry, so that all is undone: in the table itself, and below. */
    spoil(l4, 511, entry_for(data));
    check(pin(MMUEXT_PIN_L4_TABLE, l4) < 0, "bad L4");
    spoil(l4, 511, entry_for(l3));
    spoil(tables[TABLES - 1], 511, front_pte(front_va_to_mfn(l2), PTE_KERN));
    for (unsigned n = 0; n < TIMES; n++)
        check(pin(MMUEXT_PIN_L4_TABLE, l4) < 0, "bad L1 below an L4");
    spoil(tables[TABLES - 1], 511, front_pte(front_va_to_mfn(data), PTE_KERN));
}

static void updates_all(const char *what)
{
    unsigned done = 0;

    soon();
    check_eq(hc_mmu_update(updates, BATCH, &done, DOMID_SELF), 0);
    check(done == BATCH, "%s: %u done", what, done);
}

static void mmu_updates(void)
{
    u64 scratch = front_va_to_mfn(l2) << 12;

    for (unsigned i = 0; i < BATCH; i++)
        updates[i] =
            (mmu_update_t){window_maddr, i & 1 ? 0 : front_pte(front_va_to_mfn(data), PTE_KERN)};
    updates_all("entries");
    for (unsigned i = 0; i < BATCH; i++)
        updates[i] = (mmu_update_t){front_va_to_mfn(data) << 12 | MMU_MACHPHYS_UPDATE,
                                    front_va_to_pfn(data)};
    updates_all("machine to physical");
    /* Each one lets go of a full table and takes another. */
    spoil(l2, 0, 0);
    for (unsigned i = 1; i < 512; i++)
        spoil(l2, i, 0);
    check_eq(pin(MMUEXT_PIN_L2_TABLE, l2), 0);
    for (unsigned i = 0; i < BATCH; i++)
        updates[i] = (mmu_update_t){scratch, entry_for(tables[i % TABLES])};
    updates_all("tables");
    check_eq(pin(MMUEXT_UNPIN_TABLE, l2), 0);
}

static void ext_all(void)
{
    soon();
    check_eq(hc_mmuext_op(ext, BATCH, 0, DOMID_SELF), 0);
}

static void mmuext(void)
{
    for (unsigned i = 0; i < BATCH; i++) {
        ext[i] = (struct mmuext_op){.cmd = i & 1 ? MMUEXT_UNPIN_TABLE : MMUEXT_PIN_L1_TABLE};
        ext[i].arg1.mfn = front_va_to_mfn(tables[0]);
    }
    ext_all();
    for (unsigned i = 0; i < BATCH; i++)
        ext[i] = (struct mmuext_op){.cmd = i & 1 ? MMUEXT_COPY_PAGE : MMUEXT_CLEAR_PAGE,
                                    .arg1.mfn = front_va_to_mfn(data),
                                    .arg2.src_mfn = front_va_to_mfn(tables[0])};
    ext_all();
    for (unsigned i = 0; i < BATCH; i++)
        ext[i] = (struct mmuext_op){.cmd = i & 1 ? MMUEXT_TLB_FLUSH_ALL : MMUEXT_INVLPG_ALL,
                                    .arg1.linear_addr = WINDOW};
    ext_all();
    memset(data, 0, 4096);
}

/* --- descriptors, and many calls in one --- */

static void multicall_of(u64 op, u64 a, u64 b, u64 c, u64 d)
{
    for (unsigned i = 0; i < BATCH; i++)
        calls[i] = (multicall_entry_t){.op = op, .args = {a, b, c, d}};
    soon();
    check_eq(hc_multicall(calls, BATCH), 0);
}

static void multicalls(void)
{
    struct xen_memory_reservation big = {
        .nr_extents = 1, .extent_order = ORDER, .domid = DOMID_SELF};
    static xen_pfn_t gdt[14];

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(gdt); i++) {
        u64 *page = front_page_alloc();

        for (unsigned e = 0; e < 512; e++)
            page[e] = 0x00affb000000ffffUL; /* code of ring 3 */
        check_eq(front_page_ro(page), 0);
        gdt[i] = front_va_to_mfn(page);
    }
    multicall_of(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
    /* Each time all 14 frames become descriptor frames, and plain ones again. */
    for (unsigned i = 0; i < 2 * TIMES * 16; i++)
        calls[i] = (multicall_entry_t){.op = __HYPERVISOR_set_gdt,
                                       .args = {(u64)gdt, i & 1 ? 0 : 14 * 512}};
    soon();
    check_eq(hc_multicall(calls, 2 * TIMES * 16), 0);
    multicall_of(__HYPERVISOR_update_va_mapping, (u64)data,
                 front_pte(front_va_to_mfn(data), PTE_KERN), UVMF_TLB_FLUSH | UVMF_ALL, 0);
    /* Refused: we have our maximum. */
    set_xen_guest_handle(big.extent_start, frames);
    multicall_of(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (u64)&big, 0, 0);
    for (unsigned i = 0; i < BATCH; i++)
        calls[i] = (multicall_entry_t){.op = __HYPERVISOR_mmuext_op,
                                       .args = {(u64)&ext[i & 1], 1, 0, DOMID_SELF}};
    for (unsigned i = 0; i < 2; i++) {
        ext[i] = (struct mmuext_op){.cmd = i & 1 ? MMUEXT_UNPIN_TABLE : MMUEXT_PIN_L1_TABLE};
        ext[i].arg1.mfn = front_va_to_mfn(tables[0]);
    }
    soon();
    check_eq(hc_multicall(calls, BATCH), 0);
}

/* --- grants and events --- */

static void grants(void)
{
    static struct gnttab_map_grant_ref map[256];
    static struct gnttab_unmap_grant_ref unmap[256];
    static struct gnttab_copy copy[256];
    int ref = front_grant_access(0, front_va_to_mfn(data), false);

    for (unsigned i = 0; i < 256; i++)
        map[i] = (struct gnttab_map_grant_ref){
            .host_addr = WINDOW + 4096 * i, .flags = GNTMAP_host_map, .ref = (grant_ref_t)ref};
    soon();
    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, map, 256), 0);
    for (unsigned i = 0; i < 256; i++) {
        check_eq(map[i].status, GNTST_okay);
        unmap[i] = (struct gnttab_unmap_grant_ref){.host_addr = WINDOW + 4096 * i,
                                                   .handle = map[i].handle};
    }
    soon();
    check_eq(hc_grant_table_op(GNTTABOP_unmap_grant_ref, unmap, 256), 0);
    for (unsigned i = 0; i < 256; i++) {
        check_eq(unmap[i].status, GNTST_okay);
        copy[i] =
            (struct gnttab_copy){.len = 4095, .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref};
        copy[i].source.u.ref = copy[i].dest.u.ref = (grant_ref_t)ref;
        copy[i].source.domid = copy[i].dest.domid = DOMID_SELF;
        copy[i].dest.offset = i & 1; /* onto itself, upwards */
    }
    soon();
    check_eq(hc_grant_table_op(GNTTABOP_copy, copy, 256), 0);
    check_eq(copy[1].status, GNTST_okay);
    check_eq(front_grant_end(ref), 0);
}

static void events(void)
{
    static evtchn_port_t ports[128];
    struct sched_poll poll = {.nr_ports = 128, .timeout = 1};
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    int port, last = 0;

    while ((port = front_evtchn_alloc(DOMID_SELF)) > 0)
        last = port;
    check(last > 4000, "ports up to %d", last);
    soon();
    check(front_evtchn_alloc(DOMID_SELF) < 0, "one port more");
    for (unsigned i = 0; i < 128; i++)
        ports[i] = (evtchn_port_t)(last - (int)i);
    set_xen_guest_handle(poll.ports, ports);
    soon();
    check_eq(hc_sched_op(SCHEDOP_poll, &poll), 0);
    for (int p = 1; p < last; p++)
        front_evtchn_close((evtchn_port_t)p);
    soon();
    check_eq(hc_event_channel_op(EVTCHNOP_reset, &reset), 0);
}

/* --- memory --- */

static long reservation(unsigned cmd, u64 n, unsigned order, xen_pfn_t *list, domid_t domid)
{
    struct xen_memory_reservation r = {.nr_extents = n, .extent_order = order, .domid = domid};

    set_xen_guest_handle(r.extent_start, list);
    soon();
    return hc_memory_op(cmd, &r);
}

static long exchange(u64 in_n, unsigned in_order, u64 out_n, unsigned out_order)
{
    struct xen_memory_exchange e = {.nr_exchanged = 0};

    e.in = (struct xen_memory_reservation){
        .nr_extents = in_n, .extent_order = in_order, .domid = DOMID_SELF};
    e.out = (struct xen_memory_reservation){
        .nr_extents = out_n, .extent_order = out_order, .domid = DOMID_SELF};
    set_xen_guest_handle(e.in.extent_start, frames);
    set_xen_guest_handle(e.out.extent_start, out);
    soon();
    return hc_memory_op(XENMEM_exchange, &e);
}

static void memory(void)
{
    u64 pfn = 0;

    for (unsigned i = 0; i < 512; i++) {
        pfn = front_spare_pfn();
        frames[i] = front_p2m[pfn];
    }
    check_eq(reservation(XENMEM_decrease_reservation, 512, 0, frames, DOMID_SELF), 512);
    for (unsigned n = 0; n < TIMES; n++) {
        frames[0] = pfn;
        check_eq(reservation(XENMEM_populate_physmap, 1, ORDER, frames, DOMID_SELF), 1);
        /* One block into single pages, and those into one block. */
        out[0] = pfn;
        for (unsigned i = 1; i < 512; i++)
            out[i] = pfn + i;
        check_eq(exchange(1, ORDER, 512, 0), 0);
        for (unsigned i = 0; i < 512; i++)
            frames[i] = out[511 - i];
        out[0] = pfn;
        check_eq(exchange(512, 0, 1, ORDER), 0);
        frames[0] = out[0];
        check_eq(reservation(XENMEM_decrease_reservation, 1, ORDER, frames, DOMID_SELF), 1);
    }
}

/* --- domains --- */

static long domctl(struct xen_domctl *op, u32 cmd, int domid)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = (domid_t)domid;
    soon();
    return front_hc1(__HYPERVISOR_domctl, op);
}

static long sysctl(struct xen_sysctl *op, u32 cmd)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    soon();
    return front_hc1(__HYPERVISOR_sysctl, op);
}

static int create(unsigned vcpus, unsigned grant_frames)
{
    struct xen_domctl op = {.cmd = 0};

    op.u.createdomain.max_vcpus = vcpus;
    op.u.createdomain.max_evtchn_port = ~0U;
    op.u.createdomain.max_grant_frames = grant_frames;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = 1;
    check_eq(domctl(&op, XEN_DOMCTL_createdomain, 0), 0);
    return op.domain;
}

/* As large as they come: vcpus with a full GDT each, all grant frames, 2 MiB of memory. */
static int create_large(void)
{
    static vcpu_guest_context_t context;
    struct gnttab_setup_table grown = {.nr_frames = 256};
    struct xen_domctl op = {.u.max_vcpus.max = XEN_LEGACY_MAX_VCPUS};
    int d = create(XEN_LEGACY_MAX_VCPUS, 256);

    check_eq(domctl(&op, XEN_DOMCTL_max_vcpus, d), 0);
    op = (struct xen_domctl){.u.max_mem.max_memkb = 4096};
    check_eq(domctl(&op, XEN_DOMCTL_max_mem, d), 0);
    check_eq(reservation(XENMEM_populate_physmap, 1, ORDER, frames, (domid_t)d), 1);
    grown.dom = (domid_t)d;
    set_xen_guest_handle(grown.frame_list, out);
    soon();
    check_eq(hc_grant_table_op(GNTTABOP_setup_table, &grown, 1), 0);
    check_eq(grown.status, GNTST_okay);
    for (unsigned i = 0; i < 14; i++)
        context.gdt_frames[i] = frames[0] + 1 + i;
    context.gdt_ents = 14 * 512;
    context.flags = VGCF_in_kernel;
    context.ctrlreg[3] = frames[0] << 12;
    for (unsigned v = 0; v < XEN_LEGACY_MAX_VCPUS; v++) {
        op = (struct xen_domctl){.u.vcpucontext.vcpu = v};
        set_xen_guest_handle(op.u.vcpucontext.ctxt, &context);
        check_eq(domctl(&op, XEN_DOMCTL_setvcpucontext, d), 0);
        for (unsigned i = 0; i < 14; i++)
            context.gdt_frames[i] += 14;
    }
    return d;
}

static void destroy(int d)
{
    struct xen_domctl op = {.cmd = 0};

    while (domctl(&op, XEN_DOMCTL_destroydomain, d) == -XEN_EAGAIN)
        ;
}

static void ask_about_all(void)
{
    static xen_domctl_getdomaininfo_t info[DOMAINS + 10];
    static char text[16384], keys[] = "qmrch";
    struct xen_sysctl op = {.u.getdomaininfolist.max_domains = DOMAINS + 10};

    set_xen_guest_handle(op.u.getdomaininfolist.buffer, info);
    check_eq(sysctl(&op, XEN_SYSCTL_getdomaininfolist), 0);
    check_eq(op.u.getdomaininfolist.num_domains, DOMAINS + 1);
    op = (struct xen_sysctl){.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_INFO};
    sysctl(&op, XEN_SYSCTL_cpupool_op);
    op = (struct xen_sysctl){.u.debug_keys.nr_keys = sizeof(keys) - 1};
    set_xen_guest_handle(op.u.debug_keys.keys, keys);
    check_eq(sysctl(&op, XEN_SYSCTL_debug_keys), 0);
    op = (struct xen_sysctl){.u.readconsole.count = sizeof(text)};
    set_xen_guest_handle(op.u.readconsole.buffer, text);
    check_eq(sysctl(&op, XEN_SYSCTL_readconsole), 0);
}

static void domains(void)
{
    static int ids[DOMAINS];

    for (unsigned n = 0; n < TIMES; n++)
        destroy(create_large());
    hc_sched_op(SCHEDOP_yield, 0);
    for (unsigned i = 0; i < DOMAINS; i++)
        ids[i] = create(1, 1);
    ask_about_all();
    for (unsigned i = 0; i < DOMAINS; i++)
        destroy(ids[i]);
    hc_sched_op(SCHEDOP_yield, 0);
}

/* --- the rest --- */

static void text_and_ports(void)
{
    static char spaces[8192];
    struct physdev_set_iopl iopl = {.iopl = 1};
    u64 n = sizeof(spaces), from = (u64)spaces;

    hc_console_io(CONSOLEIO_write, sizeof(spaces), spaces); /* NUL: nothing to be seen */
    /* To port 0x80, in one instruction. */
    check_eq(hc_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    check_eq(FAULT("rep outsb", : "+S"(from), "+c"(n) : "d"(0x80) : "memory"), FAULT_NONE);
}

void guest_test(void)
{
    front_irq_disable();
    front_evtchn_bind_virq(VIRQ_TIMER, 0);
    check_eq(front_grant_init(), 0);
    tables_make();
    check_eq(front_map(WINDOW, front_va_to_mfn(data), PTE_KERN), 0);
    window_maddr = front_entry_maddr(front_pt_entry(front_root_mfn(), WINDOW, 1));
    pins();
    mmu_updates();
    mmuext();
    multicalls();
    grants();
    memory();
    domains();
    text_and_ports();
    events();
}
