/* SPDX-License-Identifier: MIT */
/*
 * diag/audit*.c and the fake machine's own audits: one corruption planted at a time, and
 * each is found and named; undone, all is well again (MM-1, MM-2, MM-13, MM-15, MM-17, MM-18,
 * MM-24, GT-1, EV-3, LC-4).
 *
 * Sabotage: have violation() not count; every test here fails. Leave any single check out; the test
 * of that check fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/core/page_priv.h"
#include "../../hypervisor/pv/pte.h"
#include "fake/fake.h"

#include <tenue/percpu.h>
#include <tenue/pv.h>

#define ARGS 62u
#define HOLE 40u /* the page over which a grant is mapped */
#define GIVEN 30u
#define REF 9u
#define PIRQ 5u

static struct guest a, b, control;
static port_t port_a, port_b, port_virq, port_pirq;

/* --- a machine with something of everything --- */

static void hypercall(const struct guest *g, uint64_t nr, uint64_t cmd, void *arg, size_t size,
                      uint64_t more)
{
    memcpy(guest_ptr(g, ARGS), arg, size);
    CU_ASSERT_EQUAL_FATAL(fake_hypercall(nr, cmd, guest_va_at(ARGS), more, 0), 0);
    memcpy(arg, guest_ptr(g, ARGS), size);
}

static void map_grant(uint32_t flags, unsigned page)
{
    struct gnttab_map_grant_ref m = {
        .host_addr = guest_va_at(page), .flags = flags, .ref = REF, .dom = 6};

    hypercall(&a, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &m, sizeof(m), 1);
    CU_ASSERT_EQUAL_FATAL(m.status, GNTST_okay);
}

static void grants(void)
{
    b.d->grant.frame[0].shared[REF] = (grant_entry_v1_t){
        .flags = GTF_permit_access, .domid = 5, .frame = (uint32_t)b.frames[GIVEN].n};
    map_grant(GNTMAP_host_map, HOLE);
    map_grant(GNTMAP_device_map | GNTMAP_readonly, HOLE);
}

static void ports(void)
{
    CU_ASSERT_EQUAL_FATAL(evtchn_bind(a.d, EVTCHN_UNBOUND, 6, 0, &port_a), 0);
    CU_ASSERT_EQUAL_FATAL(evtchn_bind_interdomain(b.d, a.d, port_a, &port_b), 0);
    CU_ASSERT_EQUAL_FATAL(evtchn_bind(a.d, EVTCHN_VIRQ, VIRQ_TIMER, 1, &port_virq), 0);
    CU_ASSERT_EQUAL_FATAL(evtchn_bind(control.d, EVTCHN_PIRQ, PIRQ, 0, &port_pirq), 0);
}

static void descriptors(void)
{
    uint64_t frame = a.frames[50].n;
    struct vcpu_register_vcpu_info info = {.mfn = a.frames[52].n};

    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(50), 0, 1, 0), 0);
    memcpy(guest_ptr(&a, ARGS), &frame, sizeof(frame));
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_set_gdt, guest_va_at(ARGS), 10, 0, 0), 0);
    memcpy(guest_ptr(&a, ARGS), &info, sizeof(info));
    CU_ASSERT_EQUAL(
        fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, guest_va_at(ARGS), 0),
        0);
}

static void begin(void)
{
    guest_init(&a, fake_domain(5, 2, 200));
    guest_init(&b, fake_domain(6, 1, 200));
    guest_init(&control, control_domain);
    fake_on_cpu(0);
    fake_run(a.d->vcpus[0]);
    grants();
    ports();
    descriptors();
    CU_ASSERT_EQUAL(fake_audit(), 0);
    (void)fake_log_take();
}

static void end(void)
{
    CU_ASSERT_EQUAL(fake_audit(), 0);
    fake_run(NULL);
    CU_ASSERT_TRUE(fake_destroy(a.d));
    CU_ASSERT_TRUE(fake_destroy(b.d));
    fake_control_end();
    (void)fake_control_begin(1);
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

/* --- planting --- */

#define PLANTED_MAX 8u
static struct {
    void *at;
    size_t size;
    uint64_t was;
} planted[PLANTED_MAX];
static unsigned planted_count;

static void plant(void *at, size_t size, uint64_t value)
{
    planted[planted_count].at = at;
    planted[planted_count].size = size;
    planted[planted_count].was = 0;
    memcpy(&planted[planted_count].was, at, size);
    planted_count++;
    memcpy(at, &value, size);
}

#define PLANT(lvalue, value) plant((void *)&(lvalue), sizeof(lvalue), (uint64_t)(value))

/* The audit says what is wrong, and nothing once it is undone. */
static void found(const char *what)
{
    CU_ASSERT_NOT_EQUAL(pv_audit(), 0);
    if (!strstr(fake_log_take(), what))
        CU_FAIL("the audit does not say what is wrong");
    while (planted_count) {
        planted_count--;
        memcpy(planted[planted_count].at, &planted[planted_count].was, planted[planted_count].size);
    }
    CU_ASSERT_EQUAL(pv_audit(), 0);
}

static struct page *record(const struct guest *g, unsigned frame)
{
    return page_of(g->frames[frame]);
}

static uint64_t *l1_entry(const struct guest *g, unsigned page)
{
    return &guest_ptr(g, g->l1)[page];
}

/* --- what is planted --- */

static void frame_states(void)
{
    struct page *hv;

    begin();
    hv = page_of(ptr_to_mfn(a.d));
    PLANT(record(&a, 20)->count, record(&a, 20)->count | C_HV);
    found("in two states");
    PLANT(hv->count, hv->count + 1);
    found("the hypervisor's own");
    PLANT(hv->type, type_bits(PGT_WRITABLE) | 1);
    found("the hypervisor's own");
    PLANT(record(&a, 20)->type, record(&a, 20)->type | T_LOCKED);
    found("locked by nobody");
    PLANT(record(&a, 52)->type, type_bits(PGT_L1) | T_VALID | T_STAMPED);
    found("used as a type that it does not have");
    end();
}

static void counts(void)
{
    begin();
    PLANT(record(&a, 20)->count, record(&a, 20)->count + 1);
    found("references counted and references found differ");
    PLANT(record(&a, 20)->count, record(&a, 20)->count & ~C_ALLOC);
    found("references counted and references found differ");
    PLANT(record(&a, 20)->type, record(&a, 20)->type + 1);
    found("type references counted and found differ");
    PLANT(record(&a, a.l4)->type, record(&a, a.l4)->type & ~T_PINNED);
    found("type references counted and found differ");
    PLANT(a.d->vcpus[0]->vcpu_info_mfn, ~0ull);
    found("references counted and references found differ");
    PLANT(a.d->vcpus[1]->pv.old_tables[0], a.frames[a.l1].n);
    found("references counted and references found differ");
    PLANT(a.d->vcpus[0]->pv.gdt_frames[0], ~0ull);
    found("references counted and references found differ");
    PLANT(a.d->vcpus[1]->pv.root_user, a.frames[a.l4].n);
    found("references counted and references found differ");
    end();
}

static void lists_of_frames(void)
{
    begin();
    PLANT(a.d->pages.total, a.d->pages.total + 1);
    found("list and total disagree");
    PLANT(a.d->pages.head, frame_table[a.d->pages.head].next);
    found("not on its owner's list");
    PLANT(a.d->pages.kept, b.d->pages.head);
    found("on the list of a domain that it does not belong to");
    end();
}

static void free_lists(void)
{
    uint64_t m = 0;

    begin();
    while (!(frame_table[m].count & C_FREE) || frame_table[m].count & C_HEAD)
        m++;
    PLANT(frame_table[m].count, 0);
    found("free list");
    while (!(frame_table[m].count & C_HEAD && frame_table[m].count & C_FREE))
        m++;
    PLANT(frame_table[m].count, frame_table[m].count + 1);
    found("free list");
    PLANT(frame_table[0].count, C_FREE);
    found("frames are free");
    end();
}

static void leaf_entries(void)
{
    begin();
    PLANT(*l1_entry(&a, 20), *l1_entry(&a, 20) | PTE_G);
    found("without the user bit, or global");
    PLANT(*l1_entry(&a, 20), *l1_entry(&a, 20) & ~PTE_US);
    found("without the user bit, or global");
    PLANT(*l1_entry(&a, 20), *l1_entry(&a, 20) | PTE_PCD);
    found("other than write-back");
    PLANT(*l1_entry(&a, a.l2), *l1_entry(&a, a.l2) | PTE_RW);
    found("used as a type that it does not have");
    PLANT(*l1_entry(&a, 100), guest_maddr(&b, 20) | PTE_P | PTE_US);
    found("another domain's frame without a grant");
    PLANT(*l1_entry(&a, 100), (uint64_t)FAKE_MMIO_FRAME << PAGE_SHIFT | PTE_P | PTE_US);
    found("a device that it may not");
    PLANT(*l1_entry(&control, 100), (FAKE_MMIO_FRAME + 1ull) << PAGE_SHIFT | PTE_P | PTE_US);
    found("a device that it may not");
    end();
}

static void upper_entries(void)
{
    uint64_t *l2, *l4;

    begin();
    l2 = &guest_ptr(&a, a.l2)[pte_index(GUEST_BASE, 2)];
    l4 = guest_ptr(&a, a.l4);
    PLANT(*l2, *l2 | PTE_PSE);
    found("forbidden bits");
    PLANT(*l2, *l2 & ~PTE_US);
    found("forbidden bits");
    PLANT(*l2, guest_maddr(&b, b.l1) | PTE_P | PTE_US);
    found("another domain's table");
    PLANT(*l2, guest_maddr(&a, a.l3) | PTE_P | PTE_US);
    found("used as a type that it does not have");
    PLANT(*l2, mfn_to_maddr(ptr_to_mfn(a.d)).a | PTE_P | PTE_US);
    found("owned by no domain");
    PLANT(l4[HV_L4_FIRST + 3], 0);
    found("differs from the template");
    PLANT(l4[HV_L4_FIRST + 1], l4[HV_L4_FIRST + 1] | PTE_US);
    found("differs from the template");
    end();
}

static void descriptor_frames(void)
{
    begin();
    PLANT(guest_ptr(&a, 50)[7], 1ull << 47 | 0xeull << 40); /* a gate */
    found("descriptor that the CPU must not see");
    PLANT(guest_ptr(&a, 50)[7], 1ull << 47 | 1ull << 44); /* ring 0 */
    found("descriptor that the CPU must not see");
    end();
}

static void roots_in_force(void)
{
    begin();
    PLANT(cpus[0]->root, a.frames[a.user_l4].n);
    found("the root loaded is not its vcpu's");
    PLANT(cpus[2]->root, a.frames[a.l4].n);
    found("the root loaded is not its vcpu's");
    PLANT(a.d->vcpus[1]->is_running, 2);
    found("a vcpu that is not loaded there says that it is");
    PLANT(a.d->vcpus[0]->is_running, 0);
    found("its vcpu says that it runs elsewhere");
    end();
}

static void pins_and_handles(void)
{
    struct grant_active *active;
    struct grant_maptrack *handle;

    begin();
    active = &b.d->grant.frame[0].active[REF];
    PLANT(active->pins[PIN_RW], 2);
    found("2 pins of kind 0, handles explain 1");
    PLANT(active->pins[PIN_RW], 0);
    found("0 pins of kind 0, handles explain 1");
    PLANT(active[1].frame, active->frame);
    PLANT(active[1].domid, active->domid);
    PLANT(active[1].pins[PIN_RW], 1);
    PLANT(active->pins[PIN_RW], 0);
    found("handles explain 1 others");
    handle = a.d->grant.maptrack[0];
    PLANT(handle[0].ref, REF + 1);
    found("which is not pinned");
    PLANT(handle[5].flags, GNTMAP_host_map);
    found("names no domain");
    PLANT(a.d->grant.maptrack_free, handle[a.d->grant.maptrack_free].ref);
    found("free ones");
    PLANT(handle[1].flags, GNTMAP_device_map); /* it is read-only */
    found("pins of kind");
    end();
}

static struct evtchn *port(struct domain *d, port_t p)
{
    return &d->evtchn.pages[0][p];
}

static void ports_and_peers(void)
{
    struct vcpu *v;

    begin();
    v = a.d->vcpus[1];
    PLANT(port(a.d, port_a)->remote_port, port_b + 1);
    found("its peer is not connected to it");
    PLANT(port(b.d, port_b)->state, EVTCHN_UNBOUND);
    found("its peer is not connected to it");
    PLANT(port(a.d, port_a)->remote, (uintptr_t)a.d->shared_info);
    found("connected to a domain that is gone");
    PLANT(port(a.d, port_a)->vcpu, 7);
    found("a vcpu that does not exist");
    PLANT(v->virq_port[VIRQ_TIMER], 0);
    found("virtual interrupt that no vcpu has bound");
    PLANT(v->virq_port[VIRQ_DEBUG], port_a);
    found("takes it for its virtual interrupt");
    PLANT(port(control.d, port_pirq)->pirq, PIRQ + 1);
    found("physical interrupt that goes elsewhere");
    PLANT(port(control.d, port_pirq)->state, EVTCHN_IPI);
    found("a physical interrupt goes to it");
    PLANT(port(a.d, port_virq + 5)->state, EVTCHN_RESERVED);
    found("in no state");
    PLANT(a.d->evtchn.active, a.d->evtchn.active + 1);
    found("miscounted");
    PLANT(a.d->evtchn.hint, port_virq + 9);
    found("not known as free");
    end();
}

/* --- the fake machine's own --- */

static void stale_translations(void)
{
    begin();
    CU_ASSERT_TRUE(fake_store(guest_va_at(20), 1));
    PLANT(record(&a, 20)->type, type_bits(PGT_L1) | T_VALID | 1);
    CU_ASSERT_EQUAL(fake_tlb_audit(), 1);
    found("used as a type that it does not have");
    PLANT(record(&a, 20)->count, (record(&a, 20)->count & ~C_OWNER_MASK) | 6ull << C_OWNER_SHIFT);
    CU_ASSERT_EQUAL(fake_tlb_audit(), 1);
    found("on the list of a domain");
    PLANT(record(&a, 50)->type, type_bits(PGT_WRITABLE) | 1);
    CU_ASSERT_EQUAL(fake_window_audit(), 1);
    found("used as a type that it does not have");
    end();
}

static void memory_balance(void)
{
    void *lost;

    begin();
    lost = hv_alloc_page();
    CU_ASSERT_EQUAL(fake_balance_audit(), 1);
    hv_free_page(lost);
    a.d->refs++;
    CU_ASSERT_EQUAL(fake_balance_audit(), 1);
    a.d->refs--;
    lost = a.d->memmap.entries;
    a.d->memmap.entries = (void *)b.d->shared_info; /* the same page twice */
    CU_ASSERT_NOT_EQUAL(fake_balance_audit(), 0);
    a.d->memmap.entries = lost;
    spin_lock(&a.d->evtchn.lock);
    CU_ASSERT_EQUAL(fake_balance_audit(), 1);
    spin_unlock(&a.d->evtchn.lock);
    CU_ASSERT_EQUAL(fake_balance_audit(), 0);
    end();
}

static void leaks(void)
{
    struct page *fresh;
    uint8_t unset[12];

    begin();
    fresh = heap_alloc(0, 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fresh);
    a.d->pages.total++;
    domain_return_frame(a.d, page_mfn(fresh)); /* never cleared (MM-12) */
    CU_ASSERT_EQUAL(fake_leak_audit(), 1);
    CU_ASSERT_EQUAL(domain_release_frame(a.d, page_mfn(fresh)), 0);
#ifdef __clang__
    memset(unset, 0xaa, sizeof(unset));
#else
    memset(unset, 0xfe, sizeof(unset));
#endif
    CU_ASSERT_EQUAL(hal_copy_to_guest(guest_va_at(20), unset, sizeof(unset)), 0);
    CU_ASSERT_EQUAL(fake_leak_audit(), 1);
    fake_fail_alloc = 2;
    fresh = heap_alloc(0, 64);
    CU_ASSERT_PTR_NOT_NULL(fresh);
    CU_ASSERT_PTR_NULL(heap_alloc(0, 64));
    heap_free(fresh, 0);
    end();
}

void suite_audit(void);
void suite_audit(void)
{
    CU_pSuite s = CU_add_suite("audit", NULL, NULL);

    CU_add_test(s, "MM-1: states of frames", frame_states);
    CU_add_test(s, "MM-2: references and types", counts);
    CU_add_test(s, "MM-2: lists of frames", lists_of_frames);
    CU_add_test(s, "LC-4: free lists", free_lists);
    CU_add_test(s, "MM-3, MM-13, MM-15: leaf entries", leaf_entries);
    CU_add_test(s, "MM-3, MM-17: upper entries", upper_entries);
    CU_add_test(s, "MM-24: descriptor frames", descriptor_frames);
    CU_add_test(s, "MM-18: roots in force", roots_in_force);
    CU_add_test(s, "GT-1: pins and handles", pins_and_handles);
    CU_add_test(s, "EV-3: ports and peers", ports_and_peers);
    CU_add_test(s, "MM-4: stale translations", stale_translations);
    CU_add_test(s, "LC-4: balance of memory", memory_balance);
    CU_add_test(s, "MM-12, HC-3: what leaks", leaks);
}
