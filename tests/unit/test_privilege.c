/* SPDX-License-Identifier: MIT */
/*
 * What only the control domain may ask for, asked by a guest, then by the control domain with
 * arguments that cannot be: refused by the right name, and nothing has happened (HC-8, HC-12). And
 * the run state that its owner asked to have marked while it is written.
 *
 * Sabotage: leave out the look at is_control in op_remote_shutdown(): guests_are_refused; the look
 * at op->pad in acquire_resource(): what_cannot_be; the second write of entry_time in
 * runstate_write(): runstate_is_marked; DOMID_SELF in copy_side_get(): copies_name_their_own;
 * v->initialised in vcpu_store_context(): contexts_are_real.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/domain.h>
#include <xen/domctl.h>
#include <xen/grant_table.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#define ARGS 62u
#define AREA 61u

static struct guest a, b;

static void begin(void)
{
    guest_init(&a, fake_domain(5, 1, 200));
    guest_init(&b, fake_domain(6, 1, 200));
    fake_on_cpu(0);
    fake_run(a.d->vcpus[0]);
}

static void end(void)
{
    a.d->is_control = false;
    fake_run(NULL);
    CU_ASSERT_TRUE(fake_destroy(a.d));
    CU_ASSERT_TRUE(fake_destroy(b.d));
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

static long shut_down(domid_t whom)
{
    const struct sched_remote_shutdown op = {.domain_id = whom, .reason = SHUTDOWN_crash};

    memcpy(guest_ptr(&a, ARGS), &op, sizeof(op));
    return fake_hypercall(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, guest_va_at(ARGS), 0, 0);
}

static long platform(uint32_t cmd, uint32_t version, uint16_t state, uint32_t flags)
{
    struct xen_platform_op op = {.cmd = cmd, .interface_version = version};

    op.u.enter_acpi_sleep.sleep_state = state;
    op.u.enter_acpi_sleep.flags = flags;
    memcpy(guest_ptr(&a, ARGS), &op, sizeof(op));
    return fake_hypercall(__HYPERVISOR_platform_op, guest_va_at(ARGS), 0, 0, 0);
}

static void guests_are_refused(void)
{
    begin();
    CU_ASSERT_EQUAL(shut_down(6), -XEN_EPERM);
    CU_ASSERT_FALSE(b.d->shutting_down);
    CU_ASSERT_EQUAL(platform(XENPF_settime64, XENPF_INTERFACE_VERSION, 0, 0), -XEN_EPERM);
    CU_ASSERT_EQUAL(platform(XENPF_enter_acpi_sleep, XENPF_INTERFACE_VERSION, 5, 0), -XEN_EPERM);
    a.d->is_control = true;
    CU_ASSERT_EQUAL(shut_down(77), -XEN_ESRCH);
    CU_ASSERT_EQUAL(shut_down(6), 0);
    CU_ASSERT_TRUE(b.d->shutting_down);
    CU_ASSERT_EQUAL(b.d->shutdown_code, SHUTDOWN_crash);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, 0x1000, 0, 0),
                    -XEN_EFAULT);
    end();
}

static long resource(struct xen_mem_acquire_resource *r)
{
    long rc;

    memcpy(guest_ptr(&a, ARGS), r, sizeof(*r));
    rc = fake_hypercall(__HYPERVISOR_memory_op, XENMEM_acquire_resource, guest_va_at(ARGS), 0, 0);
    memcpy(r, guest_ptr(&a, ARGS), sizeof(*r));
    return rc;
}

static void what_cannot_be(void)
{
    struct xen_mem_acquire_resource r = {.domid = 6, .type = XENMEM_resource_grant_table};

    begin();
    a.d->is_control = true;
    CU_ASSERT_EQUAL(platform(XENPF_settime64, 1, 0, 0), -XEN_EACCES);
    CU_ASSERT_EQUAL(platform(9999, XENPF_INTERFACE_VERSION, 0, 0), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(platform(XENPF_enter_acpi_sleep, XENPF_INTERFACE_VERSION, 3, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(platform(XENPF_enter_acpi_sleep, XENPF_INTERFACE_VERSION, 5, 1), -XEN_EINVAL);
    CU_ASSERT_EQUAL(resource(&r), 0); /* how many there are */
    CU_ASSERT_EQUAL(r.nr_frames, b.d->grant.max_frames);
    r.pad = 1;
    CU_ASSERT_EQUAL(resource(&r), -XEN_EINVAL);
    r.pad = 0;
    r.type = XENMEM_resource_ioreq_server;
    CU_ASSERT_EQUAL(resource(&r), -XEN_EOPNOTSUPP);
    r.type = XENMEM_resource_grant_table;
    r.id = XENMEM_resource_grant_table_id_status;
    CU_ASSERT_EQUAL(resource(&r), -XEN_EOPNOTSUPP);
    r.domid = 77;
    CU_ASSERT_EQUAL(resource(&r), -XEN_ESRCH);
    r.domid = a.d->domid; /* one's own is not for tools */
    CU_ASSERT_EQUAL(resource(&r), -XEN_EPERM);
    end();
}

static void contexts_are_real(void)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_getvcpucontext,
                            .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
                            .domain = 6};

    begin();
    a.d->is_control = true;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, (vcpu_guest_context_t *)guest_va_at(AREA - 2));
    memcpy(guest_ptr(&a, ARGS), &op, sizeof(op));
    b.d->vcpus[0]->initialised = false;
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_domctl, guest_va_at(ARGS), 0, 0, 0), -XEN_ENODATA);
    b.d->vcpus[0]->initialised = true;
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_domctl, guest_va_at(ARGS), 0, 0, 0), 0);
    end();
}

static void copies_name_their_own(void)
{
    struct gnttab_copy op = {.source.domid = 6, .dest.domid = DOMID_SELF, .len = 8};

    begin();
    op.source.u.gmfn = op.dest.u.gmfn = a.frames[AREA].n;
    memcpy(guest_ptr(&a, ARGS), &op, sizeof(op));
    CU_ASSERT_EQUAL(
        fake_hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_copy, guest_va_at(ARGS), 1, 0), 0);
    CU_ASSERT_EQUAL(((struct gnttab_copy *)(void *)guest_ptr(&a, ARGS))->status,
                    GNTST_permission_denied);
    end();
}

static void runstate_is_marked(void)
{
    const struct vcpu_register_runstate_memory_area area = {.addr.p = guest_va_at(AREA)};
    const struct vcpu_runstate_info *r;

    begin();
    r = (void *)guest_ptr(&a, AREA);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
                                   VMASST_TYPE_runstate_update_flag, 0, 0),
                    0);
    memset(guest_ptr(&a, AREA), 0xff, sizeof(*r));
    memcpy(guest_ptr(&a, ARGS), &area, sizeof(area));
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0,
                                   guest_va_at(ARGS), 0),
                    0);
    CU_ASSERT_EQUAL(r->state, a.d->vcpus[0]->runstate.state);
    CU_ASSERT_EQUAL(r->state_entry_time & XEN_RUNSTATE_UPDATE, 0);
    CU_ASSERT_EQUAL(r->state_entry_time, a.d->vcpus[0]->runstate.state_entry_time);
    end();
}

void suite_privilege(void);
void suite_privilege(void)
{
    CU_pSuite s = CU_add_suite("privilege", NULL, NULL);

    CU_add_test(s, "guests are refused", guests_are_refused);
    CU_add_test(s, "what cannot be", what_cannot_be);
    CU_add_test(s, "contexts are real", contexts_are_real);
    CU_add_test(s, "copies name their own", copies_name_their_own);
    CU_add_test(s, "a run state is marked", runstate_is_marked);
}
