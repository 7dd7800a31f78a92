/* SPDX-License-Identifier: MIT */
/*
 * core/domain.c, domctl.c, sysctl.c, log.c: finding, stopping and ending domains, and what the
 * control interfaces refuse (LC-1 to LC-7, LC-10, HC-9).
 *
 * Sabotage: let domain_next() return the domain without domain_ref(): lookup_counts fails; drop
 * the domain_is_dying() test in run_claimed(): dying_domains_only_answer fails; never charge() in
 * guest_console_line(): guest_messages_are_limited fails; compare the interface version with >=:
 * wrong_versions fails. No preemption point in op_max_vcpus(), or in grant_table_grow():
 * bulk_is_done_in_parts fails. Return 0 for an irq_permission: no_device_is_handed_on fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/entrypoints.h>
#include <tenue/log.h>
#include <tenue/percpu.h>

static void lookup_counts(void)
{
    struct domain *d = fake_domain(41, 1, 10), *found;
    uint32_t refs = d->refs;

    CU_ASSERT_EQUAL(refs, 1);
    found = domain_get(41);
    CU_ASSERT_PTR_EQUAL(found, d);
    CU_ASSERT_EQUAL(d->refs, 2);
    domain_put(found);
    found = domain_next(1);
    CU_ASSERT_PTR_EQUAL(found, d);
    CU_ASSERT_EQUAL(d->refs, 2);
    domain_put(found);
    CU_ASSERT_PTR_NULL(domain_get(42));
    CU_ASSERT_PTR_NULL(domain_get(DOMID_SELF));
    CU_ASSERT_PTR_NULL(domain_get(DOMID_FIRST_RESERVED - 1));
    CU_ASSERT_PTR_NULL(domain_next(42));
    CU_ASSERT_PTR_NULL(fake_domain(41, 1, 10)); /* taken */
    CU_ASSERT_TRUE(fake_destroy(d));
    CU_ASSERT_PTR_NULL(domain_get(41));
}

/* LC-4: to the last frame, whatever it was doing. */
static void nothing_is_left(void)
{
    uint64_t before;
    port_t p;

    /* The first cycle may allocate what stays: a table page, for instance. */
    CU_ASSERT_TRUE(fake_destroy(fake_domain(43, 4, 100)));
    before = READ_ONCE(heap_free_frames);
    for (unsigned i = 0; i < 20; i++) {
        struct guest g;

        guest_init(&g, fake_domain(43, 4, 100));
        CU_ASSERT_EQUAL(evtchn_bind(g.d, EVTCHN_VIRQ, VIRQ_TIMER, 3, &p), 0);
        CU_ASSERT_EQUAL(vcpu_map_vcpu_info(g.d->vcpus[2], g.frames[20], 128), 0);
        timer_set(&g.d->vcpus[1]->periodic, fake_time + 1000);
        fake_preempt_every = i % 3;
        CU_ASSERT_TRUE(fake_destroy(g.d));
        fake_preempt_every = 0;
        CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), before);
    }
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

static void a_reference_keeps_it(void)
{
    struct domain *d = fake_domain(44, 1, 10);

    domain_ref(d);
    CU_ASSERT_TRUE(fake_destroy(d)); /* out of the table... */
    CU_ASSERT_EQUAL(d->domid, 44);   /* ...but still there (ASan would tell) */
    CU_ASSERT_EQUAL(d->dying, DOMAIN_DEAD);
    domain_put(d);
    guest_exit_work();
}

static void shutdown_is_taken_once(void)
{
    struct xen_domctl_getdomaininfo info;
    struct domain *d = fake_domain(45, 1, 10);

    domain_shutdown(d, SHUTDOWN_reboot);
    domain_shutdown(d, SHUTDOWN_crash);
    domain_get_info(d, &info);
    CU_ASSERT_EQUAL(info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask,
                    SHUTDOWN_reboot);
    CU_ASSERT_TRUE(info.flags & XEN_DOMINF_shutdown);
    CU_ASSERT_TRUE(info.flags & XEN_DOMINF_paused);
    domain_unpause_by_controller(d);
    CU_ASSERT_EQUAL(d->pause_count, 1); /* it stays stopped */
    domain_resume(d);
    CU_ASSERT_EQUAL(d->pause_count, 0);
    CU_ASSERT_TRUE(fake_destroy(d));
}

static void crash_says_why(void)
{
    struct domain *d = fake_domain(46, 1, 10);

    fake_log_take();
    domain_crash(d, "stepped on %s %d", "toe", 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_take(), "domain 46 crashed: stepped on toe 3"));
    CU_ASSERT_EQUAL(d->shutdown_code, SHUTDOWN_crash);
    CU_ASSERT_TRUE(fake_destroy(d));
}

/* HC-9: a burst, then a trickle; what was left out is counted. */
static void guest_messages_are_limited(void)
{
    struct domain *d = fake_domain(47, 1, 10);
    unsigned lines = 0;

    fake_time += 100 * NS_PER_SEC;
    for (unsigned i = 0; i < 10000; i++) {
        fake_log_take();
        guest_log(d, LOG_ERR, "again");
        lines += strstr(fake_log_take(), "again") != NULL;
    }
    CU_ASSERT_TRUE(lines >= 10 && lines <= 500);
    fake_time += NS_PER_SEC;
    guest_log(d, LOG_ERR, "later");
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_take(), "messages suppressed"));
    CU_ASSERT_TRUE(fake_destroy(d));
}

/* --- as the control domain --- */

/* A guest that is let in: the real control domain of the fake machine stays without frames. */
static struct guest dom0;

static void control_up(void)
{
    guest_init(&dom0, fake_domain(40, 1, 100));
    dom0.d->is_control = true;
    fake_run(dom0.d->vcpus[0]);
}

static void control_down(void)
{
    fake_run(NULL);
    dom0.d->is_control = false;
    CU_ASSERT_TRUE(fake_destroy(dom0.d));
}

static long domctl(struct xen_domctl *op)
{
    long rc;

    op->interface_version = op->interface_version ? op->interface_version
                                                  : XEN_DOMCTL_INTERFACE_VERSION;
    memcpy(guest_ptr(&dom0, 10), op, sizeof(*op));
    rc = fake_hypercall(__HYPERVISOR_domctl, guest_va_at(10), 0, 0, 0);
    memcpy(op, guest_ptr(&dom0, 10), sizeof(*op));
    return rc;
}

static long simple_domctl(uint32_t cmd, domid_t domid)
{
    struct xen_domctl op = {.cmd = cmd, .domain = domid};

    return domctl(&op);
}

static void create_and_destroy(void)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_createdomain};
    struct domain *d;
    domid_t id;

    control_up();
    op.u.createdomain.max_vcpus = 2;
    op.u.createdomain.max_grant_frames = -1;
    op.u.createdomain.max_maptrack_frames = 4;
    CU_ASSERT_EQUAL(domctl(&op), 0);
    id = op.domain;
    CU_ASSERT_TRUE(id > 0 && id < DOMID_FIRST_RESERVED);
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, id), -XEN_EINVAL); /* no context */
    op = (struct xen_domctl){.cmd = XEN_DOMCTL_max_vcpus, .domain = id};
    op.u.max_vcpus.max = 3;
    CU_ASSERT_EQUAL(domctl(&op), -XEN_EINVAL);
    op.u.max_vcpus.max = 2;
    CU_ASSERT_EQUAL(domctl(&op), 0);
    d = domain_get(id);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    CU_ASSERT_PTR_NOT_NULL(d->vcpus[1]);
    domain_put(d);
    op = (struct xen_domctl){.cmd = XEN_DOMCTL_getdomaininfo, .domain = (domid_t)(id - 1)};
    if (id > 1 && id != 41) { /* the next one there is */
        CU_ASSERT_EQUAL(domctl(&op), 0);
        CU_ASSERT_EQUAL(op.domain, id);
        CU_ASSERT_EQUAL(op.u.getdomaininfo.domain, id);
    }
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_pausedomain, id), 0);
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_destroydomain, id), 0);
    this_cpu()->softirqs &= ~(1u << SOFTIRQ_SCHED);
    guest_exit_work();
    CU_ASSERT_PTR_NULL(domain_get(id));
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_destroydomain, id), -XEN_ESRCH);
    control_down();
}

/* LC-2 */
static void not_on_oneself(void)
{
    domid_t self;

    control_up();
    self = current_domain()->domid;
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_pausedomain, self), -XEN_EINVAL);
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_destroydomain, self), -XEN_EINVAL);
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_resumedomain, self), -XEN_EINVAL);
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_setvcpucontext, self), -XEN_EINVAL);
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_pausedomain, DOMID_SELF), -XEN_ESRCH);
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_pausedomain, 999), -XEN_ESRCH);
    control_down();
}

static void wrong_versions(void)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_getdomaininfo};

    control_up();
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION - 1;
    CU_ASSERT_EQUAL(domctl(&op), -XEN_EACCES);
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION + 1;
    CU_ASSERT_EQUAL(domctl(&op), -XEN_EACCES);
    control_down();
}

static void unsupported_kinds_are_refused(void)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_createdomain};

    control_up();
    op.u.createdomain.max_vcpus = 1;
    op.u.createdomain.flags = XEN_DOMCTL_CDF_hvm;
    CU_ASSERT_EQUAL(domctl(&op), -XEN_EOPNOTSUPP);
    op.u.createdomain.flags = 0;
    op.u.createdomain.max_vcpus = MAX_VCPUS + 1;
    CU_ASSERT_EQUAL(domctl(&op), -XEN_EINVAL);
    op.u.createdomain.max_vcpus = 0;
    CU_ASSERT_EQUAL(domctl(&op), -XEN_EINVAL);
    op = (struct xen_domctl){.cmd = XEN_DOMCTL_set_address_size};
    op.u.address_size.size = 32;
    CU_ASSERT_EQUAL(domctl(&op), -XEN_EOPNOTSUPP);
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_shadow_op, 0), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(simple_domctl(4711, 0), -XEN_ENOSYS);
    control_down();
}

/* LC-6: what is ordered in bulk is done in parts, as often as others want the CPU. */
static void bulk_is_done_in_parts(void)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_createdomain};
    struct gnttab_setup_table grants = {.nr_frames = 64};
    struct xen_memory_reservation memory = {.nr_extents = 256};

    control_up();
    op.u.createdomain.max_vcpus = MAX_VCPUS;
    op.u.createdomain.max_grant_frames = 64;
    op.u.createdomain.max_maptrack_frames = 4;
    CU_ASSERT_EQUAL(domctl(&op), 0);
    grants.dom = memory.domid = op.domain;
    op = (struct xen_domctl){.cmd = XEN_DOMCTL_max_mem, .domain = memory.domid};
    op.u.max_mem.max_memkb = 4096;
    CU_ASSERT_EQUAL(domctl(&op), 0);
    fake_preempt_every = 1;
    op = (struct xen_domctl){.cmd = XEN_DOMCTL_max_vcpus, .domain = memory.domid};
    op.u.max_vcpus.max = MAX_VCPUS;
    CU_ASSERT_EQUAL(domctl(&op), 0);
    CU_ASSERT_EQUAL(fake_restarts, MAX_VCPUS - 1);
    grants.frame_list.p = (void *)guest_va_at(11);
    memcpy(guest_ptr(&dom0, 10), &grants, sizeof(grants));
    CU_ASSERT_EQUAL(
        fake_hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, guest_va_at(10), 1, 0),
        0);
    CU_ASSERT_TRUE(fake_restarts >= 7);
    CU_ASSERT_NOT_EQUAL(guest_ptr(&dom0, 11)[63], 0);
    memory.extent_start.p = (void *)guest_va_at(11);
    memcpy(guest_ptr(&dom0, 10), &memory, sizeof(memory));
    CU_ASSERT_EQUAL(
        fake_hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, guest_va_at(10), 0, 0),
        256);
    CU_ASSERT_EQUAL(fake_restarts, 255);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_destroydomain, memory.domid), 0);
    CU_ASSERT_TRUE(fake_restarts >= 1);
    fake_preempt_every = 0;
    CU_ASSERT_TRUE(fake_destroy(domain_of_owner(memory.domid)));
    control_down();
}

/* IRQ-2: no device reaches a guest, so none of what devices say does. */
static void no_device_is_handed_on(void)
{
    static const uint32_t absent[] = {XEN_DOMCTL_assign_device,  XEN_DOMCTL_test_assign_device,
                                      XEN_DOMCTL_bind_pt_irq,    XEN_DOMCTL_memory_mapping,
                                      XEN_DOMCTL_ioport_mapping, XEN_DOMCTL_get_device_group};
    struct domain *d = fake_domain(49, 1, 10);
    struct xen_domctl op;

    control_up();
    for (unsigned i = 0; i < ARRAY_LEN(absent); i++)
        CU_ASSERT_EQUAL(simple_domctl(absent[i], 49), -XEN_ENOSYS);
    op = (struct xen_domctl){.cmd = XEN_DOMCTL_irq_permission, .domain = 49};
    op.u.irq_permission.allow_access = 1;
    CU_ASSERT_EQUAL(domctl(&op), -XEN_EOPNOTSUPP);
    op = (struct xen_domctl){.cmd = XEN_DOMCTL_iomem_permission, .domain = 49};
    op.u.iomem_permission.nr_mfns = op.u.iomem_permission.allow_access = 1;
    CU_ASSERT_EQUAL(domctl(&op), -XEN_EOPNOTSUPP);
    op = (struct xen_domctl){.cmd = XEN_DOMCTL_ioport_permission, .domain = 49};
    op.u.ioport_permission.nr_ports = op.u.ioport_permission.allow_access = 1;
    CU_ASSERT_EQUAL(domctl(&op), -XEN_EOPNOTSUPP);
    control_down();
    CU_ASSERT_TRUE(fake_destroy(d));
}

/* LC-10 */
static void dying_domains_only_answer(void)
{
    struct domain *d = fake_domain(48, 1, 10);

    control_up();
    d->dying = DOMAIN_DYING;
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_max_mem, 48), -XEN_EINVAL);
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_max_vcpus, 48), -XEN_EINVAL);
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_unpausedomain, 48), -XEN_EINVAL);
    CU_ASSERT_EQUAL(simple_domctl(XEN_DOMCTL_getdomaininfo, 48), 0);
    control_down();
    CU_ASSERT_TRUE(fake_destroy(d));
}

/* HC-6: whoever finds a domain claimed by another CPU is sent round again, not kept waiting. */
static void claimed_domains_restart_the_call(void)
{
    struct domain *d = fake_domain(49, 1, 10);
    struct xen_domctl op = {
        .cmd = XEN_DOMCTL_max_mem, .interface_version = XEN_DOMCTL_INTERFACE_VERSION, .domain = 49};

    control_up();
    d->domctl_busy = true;
    memcpy(guest_ptr(&dom0, 10), &op, sizeof(op));
    CU_ASSERT_EQUAL(hc_domctl(guest_va_at(10)), __HYPERVISOR_domctl);
    CU_ASSERT_EQUAL(hal_guest_regs()->rdi, guest_va_at(10));
    d->domctl_busy = false;
    CU_ASSERT_EQUAL(d->refs, 1);
    control_down();
    CU_ASSERT_TRUE(fake_destroy(d));
}

static void sysctls(void)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_physinfo,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    struct domain *d = fake_domain(50, 1, 10);
    struct xen_domctl_getdomaininfo *list;

    control_up();
#define SYSCTL()                                                                                   \
    (memcpy(guest_ptr(&dom0, 10), &op, sizeof(op)),                                                \
     rc = fake_hypercall(__HYPERVISOR_sysctl, guest_va_at(10), 0, 0, 0),                           \
     memcpy(&op, guest_ptr(&dom0, 10), sizeof(op)), rc)
    long rc;

    CU_ASSERT_EQUAL(SYSCTL(), 0);
    CU_ASSERT_EQUAL(op.u.physinfo.nr_cpus, FAKE_CPUS);
    CU_ASSERT_EQUAL(op.u.physinfo.free_pages, READ_ONCE(heap_free_frames));
    op.cmd = XEN_SYSCTL_getdomaininfolist;
    op.u.getdomaininfolist = (struct xen_sysctl_getdomaininfolist){.max_domains = 8};
    set_xen_guest_handle(op.u.getdomaininfolist.buffer,
                         (xen_domctl_getdomaininfo_t *)guest_va_at(11));
    CU_ASSERT_EQUAL(SYSCTL(), 0);
    list = (struct xen_domctl_getdomaininfo *)(void *)guest_ptr(&dom0, 11);
    CU_ASSERT_EQUAL(op.u.getdomaininfolist.num_domains, 3);
    CU_ASSERT_EQUAL(list[0].domain, 0);
    CU_ASSERT_EQUAL(list[1].domain, 40);
    CU_ASSERT_EQUAL(list[2].domain, 50);
    op.cmd = XEN_SYSCTL_perfc_op;
    CU_ASSERT_EQUAL(SYSCTL(), -XEN_ENOSYS);
    op.interface_version++;
    CU_ASSERT_EQUAL(SYSCTL(), -XEN_EACCES);
#undef SYSCTL
    control_down();
    CU_ASSERT_TRUE(fake_destroy(d));
}

void suite_domain(void);
void suite_domain(void)
{
    CU_pSuite s = CU_add_suite("domain", NULL, NULL);

    CU_add_test(s, "lookups are counted", lookup_counts);
    CU_add_test(s, "LC-4: nothing is left of a domain", nothing_is_left);
    CU_add_test(s, "a reference keeps a dead domain", a_reference_keeps_it);
    CU_add_test(s, "shutdown is taken once", shutdown_is_taken_once);
    CU_add_test(s, "a crash says why", crash_says_why);
    CU_add_test(s, "HC-9: guests' messages are limited", guest_messages_are_limited);
    CU_add_test(s, "create and destroy", create_and_destroy);
    CU_add_test(s, "LC-2: not on oneself", not_on_oneself);
    CU_add_test(s, "wrong interface versions", wrong_versions);
    CU_add_test(s, "unsupported kinds are refused", unsupported_kinds_are_refused);
    CU_add_test(s, "LC-6: bulk is done in parts", bulk_is_done_in_parts);
    CU_add_test(s, "IRQ-2: no device is handed on", no_device_is_handed_on);
    CU_add_test(s, "LC-10: dying domains only answer", dying_domains_only_answer);
    CU_add_test(s, "HC-6: claimed domains", claimed_domains_restart_the_call);
    CU_add_test(s, "sysctl", sysctls);
}
