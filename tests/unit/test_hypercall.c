/* SPDX-License-Identifier: MIT */
/*
 * core/hypercall.c and multicall.c: who may call what, the one restart convention, batches (HC-4 to
 * HC-8, LC-1).
 *
 * Sabotage: let MAY_CONTROL be true: privilege fails; write the result of the element that asked
 * to be restarted: restart_inside_a_batch fails; drop the refusal in run_element(): no_iret fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/hypercall.h>
#include <tenue/percpu.h>

static struct guest g;

static void guest_up(void)
{
    guest_init(&g, fake_domain(21, 1, 100));
    fake_run(g.d->vcpus[0]);
}

static void guest_down(void)
{
    fake_run(NULL);
    CU_ASSERT_TRUE(fake_destroy(g.d));
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

static void privilege(void)
{
    struct xen_domctl domctl = {.cmd = XEN_DOMCTL_pausedomain,
                                .interface_version = XEN_DOMCTL_INTERFACE_VERSION};

    guest_up();
    memcpy(guest_ptr(&g, 10), &domctl, sizeof(domctl));
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_domctl, guest_va_at(10), 0, 0, 0), -XEN_EPERM);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_sysctl, guest_va_at(10), 0, 0, 0), -XEN_EPERM);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_platform_op, guest_va_at(10), 0, 0, 0), -XEN_EPERM);
    guest_down();
}

/* HC-8 */
static void unknown_numbers(void)
{
    guest_up();
    for (uint64_t nr = 37; nr < 64; nr++)
        CU_ASSERT_EQUAL(fake_hypercall(nr, 1, 2, 3, 4), nr == 55 ? -XEN_EPERM : -XEN_ENOSYS);
    CU_ASSERT_EQUAL(fake_hypercall(64, 0, 0, 0, 0), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(fake_hypercall(~0ull, 0, 0, 0, 0), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(fake_hypercall(1ull << 32 | __HYPERVISOR_xen_version, 0, 0, 0, 0), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0), 0x40011);
    CU_ASSERT_STRING_EQUAL(hypercall_name(__HYPERVISOR_mmu_update), "mmu_update");
    CU_ASSERT_PTR_NULL(hypercall_name(11));
    guest_down();
}

static void restart_rewinds_and_rewrites(void)
{
    struct cpu_user_regs *r;

    guest_up();
    r = hal_guest_regs();
    r->rip = 0x5002;
    CU_ASSERT_EQUAL(hypercall_restart(33, 1, 2, 3, 4, 5), 33);
    CU_ASSERT_EQUAL(r->rip, 0x5000);
    CU_ASSERT_EQUAL(r->rdi, 1);
    CU_ASSERT_EQUAL(r->rsi, 2);
    CU_ASSERT_EQUAL(r->rdx, 3);
    CU_ASSERT_EQUAL(r->r10, 4);
    CU_ASSERT_EQUAL(r->r8, 5);
    guest_down();
}

static struct multicall_entry *batch(void)
{
    return (struct multicall_entry *)guest_ptr(&g, 10);
}

static long run_batch(uint64_t n)
{
    return fake_hypercall(__HYPERVISOR_multicall, guest_va_at(10), n, 0, 0);
}

/* HC-7: a failed element does not stop the others. */
static void each_has_its_result(void)
{
    struct multicall_entry *m;

    guest_up();
    m = batch();
    m[0] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .args = {XENVER_pagesize}};
    m[1] = (struct multicall_entry){.op = 63};
    m[2] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
    m[3] = (struct multicall_entry){.op = 1, .result = 77};
    CU_ASSERT_EQUAL(run_batch(3), 0);
    CU_ASSERT_EQUAL(m[0].result, 4096);
    CU_ASSERT_EQUAL((long)m[1].result, -XEN_ENOSYS);
    CU_ASSERT_EQUAL(m[2].result, 0x40011);
    CU_ASSERT_EQUAL(m[3].result, 77);
    CU_ASSERT_EQUAL(run_batch(0), 0);
    guest_down();
}

/* HC-4 */
static void no_iret_and_no_nesting(void)
{
    struct multicall_entry *m;

    guest_up();
    m = batch();
    m[0] = (struct multicall_entry){.op = __HYPERVISOR_iret};
    m[1] = (struct multicall_entry){.op = __HYPERVISOR_multicall, .args = {guest_va_at(10), 1}};
    m[2] = (struct multicall_entry){.op = __HYPERVISOR_xen_version};
    CU_ASSERT_EQUAL(run_batch(3), 0);
    CU_ASSERT_EQUAL((long)m[0].result, -XEN_EINVAL);
    CU_ASSERT_EQUAL((long)m[1].result, -XEN_EINVAL);
    CU_ASSERT_EQUAL(m[2].result, 0x40011);
    CU_ASSERT_TRUE(g.d->vcpus[0]->pv.kernel_mode);
    guest_down();
}

static void bad_lists(void)
{
    guest_up();
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_multicall, 0x1000, 1, 0, 0), -XEN_EFAULT);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_multicall, ~0ull - 63, 2, 0, 0), -XEN_EFAULT);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_multicall, 0xffff800000000000ull, 1, 0, 0),
                    -XEN_EFAULT);
    /* The result cannot be written: the list lies in a page table. */
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_multicall, guest_va_at(g.l1) + 3200, 1, 0, 0),
                    -XEN_EFAULT);
    guest_down();
}

/* HC-5, HC-6: preempted at every chance, every element still runs once. */
static void preempted_batches_finish(void)
{
    struct multicall_entry *m;
    port_t last = 0;

    guest_up();
    m = batch();
    for (unsigned i = 0; i < 40; i++) {
        struct evtchn_alloc_unbound a = {.dom = DOMID_SELF};

        memcpy((char *)guest_ptr(&g, 12) + i * 16, &a, sizeof(a));
        m[i] = (struct multicall_entry){.op = __HYPERVISOR_event_channel_op,
                                        .args = {EVTCHNOP_alloc_unbound, guest_va_at(12) + i * 16}};
    }
    fake_preempt_every = 1;
    CU_ASSERT_EQUAL(run_batch(40), 0);
    fake_preempt_every = 0;
    CU_ASSERT_TRUE(fake_restarts >= 2);
    CU_ASSERT_EQUAL(g.d->evtchn.active, 40);
    for (unsigned i = 0; i < 40; i++) {
        struct evtchn_alloc_unbound a;

        memcpy(&a, (char *)guest_ptr(&g, 12) + i * 16, sizeof(a));
        CU_ASSERT_EQUAL(m[i].result, 0);
        CU_ASSERT_EQUAL(a.port, last + 1);
        last = a.port;
    }
    guest_down();
}

/* A long console write restarts itself: in a batch, its own arguments move on. */
static void restart_inside_a_batch(void)
{
    struct multicall_entry *m;

    guest_up();
    m = batch();
    m[0] = (struct multicall_entry){.op = __HYPERVISOR_console_io,
                                    .result = 99,
                                    .args = {CONSOLEIO_write, 1000, guest_va_at(12)}};
    m[1] = (struct multicall_entry){.op = __HYPERVISOR_xen_version};
    memset(guest_ptr(&g, 12), 'z', 1000);
    fake_preempt_every = 3;
    CU_ASSERT_EQUAL(run_batch(2), 0);
    fake_preempt_every = 0;
    CU_ASSERT_TRUE(fake_restarts >= 1);
    CU_ASSERT_EQUAL(m[0].result, 0);
    CU_ASSERT_EQUAL(m[1].result, 0x40011);
    CU_ASSERT_TRUE(m[0].args[1] < 1000);
    CU_ASSERT_EQUAL(m[0].args[1] + (m[0].args[2] - guest_va_at(12)), 1000);
    guest_down();
}

void suite_hypercall(void);
void suite_hypercall(void)
{
    CU_pSuite s = CU_add_suite("hypercall", NULL, NULL);

    CU_add_test(s, "LC-1: control operations are refused to guests", privilege);
    CU_add_test(s, "HC-8: unknown numbers", unknown_numbers);
    CU_add_test(s, "HC-5: a restart rewinds and rewrites", restart_rewinds_and_rewrites);
    CU_add_test(s, "HC-7: each element has its result", each_has_its_result);
    CU_add_test(s, "HC-4: no iret, no nesting", no_iret_and_no_nesting);
    CU_add_test(s, "bad lists", bad_lists);
    CU_add_test(s, "HC-6: preempted batches finish", preempted_batches_finish);
    CU_add_test(s, "HC-5: restart inside a batch", restart_inside_a_batch);
}
