/* SPDX-License-Identifier: MIT */
/*
 * core/vcpu_op.c and sched_ctl.c: what a guest's operations on its vcpus, and a control domain's on
 * a guest's, answer when they make no sense (issue "What bad input gets"); and the secondary clock
 * record.
 *
 * Sabotage: leave `p->weight == 0` out of sched_domctl(): shares_that_make_no_sense fails. Leave
 * out the question whether the vcpu is down in op_register_vcpu_info(): areas_of_a_running_vcpu
 * fails. Leave out `v->time_stamp = TIME_NEVER` in op_register_time(): a_second_clock_record fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/percpu.h>
#include <tenue/sched.h>

#define ARGS 10u /* the guest's frame for arguments */
#define AREA 20u

static struct guest g;
static uint64_t free_before;

static void begin(unsigned vcpus)
{
    free_before = READ_ONCE(heap_free_frames);
    guest_init(&g, fake_domain(60, vcpus, 200));
    fake_on_cpu(0);
    fake_run(g.d->vcpus[0]);
    g.d->vcpus[0]->initialised = true;
    vcpu_pause_clear(g.d->vcpus[0], VPF_DOWN);
}

static void end(void)
{
    g.d->is_control = false;
    CU_ASSERT_EQUAL(fake_audit(), 0);
    fake_run(NULL);
    CU_ASSERT_TRUE(fake_destroy(g.d));
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), free_before);
}

static long vcpu_op(unsigned cmd, uint64_t id, const void *arg, size_t bytes)
{
    memcpy(guest_ptr(&g, ARGS), arg, bytes);
    return fake_hypercall(__HYPERVISOR_vcpu_op, cmd, id, guest_va_at(ARGS), 0);
}

static long domctl(struct xen_domctl *op)
{
    long rc;

    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    memcpy(guest_ptr(&g, ARGS), op, sizeof(*op));
    rc = fake_hypercall(__HYPERVISOR_domctl, guest_va_at(ARGS), 0, 0, 0);
    memcpy(op, guest_ptr(&g, ARGS), sizeof(*op));
    return rc;
}

static unsigned down_flags(const struct vcpu *v)
{
    return v->pause_flags & 1u << VPF_DOWN;
}

/* --- the guest's own --- */

static void up_and_down(void)
{
    vcpu_guest_context_t nothing = {0};

    begin(3);
    /* No context yet: it cannot come up. */
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_up, 1, "", 1), -XEN_EINVAL);
    CU_ASSERT_NOT_EQUAL(down_flags(g.d->vcpus[1]), 0);
    g.d->vcpus[1]->initialised = true;
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_initialise, 1, &nothing, 8), -XEN_EEXIST);
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_initialise, 0, &nothing, 8), -XEN_EEXIST); /* it runs */
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 2, 0, 0), -XEN_EFAULT);
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_up, 1, "", 1), 0);
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_up, 1, "", 1), 0); /* twice is once */
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_down, 1, "", 1), 0);
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_down, 1, "", 1), 0);
    CU_ASSERT_NOT_EQUAL(down_flags(g.d->vcpus[1]), 0);
    CU_ASSERT_FALSE(g.d->shutting_down);
    for (uint64_t id = 3; id < 70; id++)
        CU_ASSERT_EQUAL(vcpu_op(VCPUOP_up, id, "", 1), -XEN_ENOENT);
    for (unsigned cmd = 14; cmd < 70; cmd++)
        CU_ASSERT_EQUAL(vcpu_op(cmd, 0, "", 1), -XEN_ENOSYS);
    /* Nobody is left who could bring one up. */
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_down, 0, "", 1), 0);
    CU_ASSERT_TRUE(g.d->shutting_down);
    end();
}

static void areas_of_a_running_vcpu(void)
{
    struct vcpu_register_vcpu_info info = {.mfn = 0, .offset = 0};
    struct vcpu *v;

    begin(3);
    v = g.d->vcpus[1];
    info.mfn = g.frames[AREA].n;
    vcpu_pause_clear(v, VPF_DOWN);
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_register_vcpu_info, 1, &info, sizeof(info)), -XEN_EINVAL);
    CU_ASSERT_TRUE(mfn_is_none(v->vcpu_info_mfn));
    vcpu_pause_set(v, VPF_DOWN);
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_register_vcpu_info, 1, &info, sizeof(info)), 0);
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_register_vcpu_info, 1, &info, sizeof(info)), -XEN_EINVAL);
    end();
}

/* Whatever the deadline, a pass of the timers ends, and one vcpu gets one event of it. */
static void timers_in_the_past(void)
{
    static const uint64_t deadlines[] = {0, 1, 1ull << 40, ~0ull, 1ull << 63, NS_PER_SEC};
    struct vcpu_set_singleshot_timer set = {0};
    struct vcpu_set_periodic_timer period = {0};

    begin(2);
    for (unsigned i = 0; i < 1000; i++) {
        set.timeout_abs_ns = deadlines[i % ARRAY_LEN(deadlines)];
        CU_ASSERT_EQUAL(vcpu_op(VCPUOP_set_singleshot_timer, 0, &set, sizeof(set)), 0);
        CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_set_timer_op, set.timeout_abs_ns, 0, 0, 0), 0);
        timer_softirq();
        CU_ASSERT_TRUE(!g.d->vcpus[0]->singleshot.queued || set.timeout_abs_ns > fake_time);
    }
    set.flags = VCPU_SSHOTTMR_future;
    set.timeout_abs_ns = 1;
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_set_singleshot_timer, 0, &set, sizeof(set)), 0);
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_set_singleshot_timer, 1, &set, sizeof(set)), -XEN_EINVAL);
    for (unsigned i = 0; i < 64; i++) {
        period.period_ns = i < 63 ? (1ull << i) - 1 : ~0ull;
        CU_ASSERT_EQUAL(vcpu_op(VCPUOP_set_periodic_timer, 0, &period, sizeof(period)),
                        i < 20 || i > 62 ? -XEN_EINVAL : 0);
    }
    end();
}

/* --- the secondary clock record --- */

static const struct vcpu_time_info *record_at(unsigned offset)
{
    return (const struct vcpu_time_info *)(const void *)((char *)guest_ptr(&g, AREA) + offset);
}

static bool is_like_primary(const struct vcpu_time_info *r, const struct vcpu *v)
{
    return memcmp(r, &v->vcpu_info->time, sizeof(*r)) == 0 && r->version % 2 == 0 && r->version &&
           r->tsc_to_system_mul != 0 && r->flags & XEN_PVCLOCK_TSC_STABLE_BIT;
}

static void a_second_clock_record(void)
{
    static const uint64_t ours[] = {0xffff800000000000ull, 0xffff87ffffffffe8ull,
                                    0x00007ffffffffff0ull, 0xffffffffffffffe8ull,
                                    0x0000800000000000ull};
    uint64_t at = guest_va_at(AREA) + 64;

    begin(2);
    for (unsigned i = 2; i-- > 0;) {
        fake_run(g.d->vcpus[i]);
        time_refresh_vcpu(g.d->vcpus[i]); /* as when each has run */
    }
    for (unsigned i = 0; i < ARRAY_LEN(ours); i++)
        CU_ASSERT_EQUAL(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &ours[i], 8),
                        -XEN_EFAULT);
    CU_ASSERT_EQUAL(
        fake_hypercall(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, 0x1000, 0),
        -XEN_EFAULT);
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &at, 8), 0);
    CU_ASSERT_TRUE(is_like_primary(record_at(64), g.d->vcpus[0]));
    /* It is the guest's to lose: an area that is not mapped is no error, as for run states. */
    at = GUEST_BASE + (1ull << 21);
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &at, 8), 0);
    /* Another's is written when that one runs; also one whose user mode is loaded first. */
    at = guest_va_at(AREA) + 128;
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 1, &at, 8), 0);
    CU_ASSERT_EQUAL(record_at(128)->version, 0);
    fake_run(g.d->vcpus[1]);
    time_refresh_vcpu(g.d->vcpus[1]);
    CU_ASSERT_TRUE(is_like_primary(record_at(128), g.d->vcpus[1]));
    /* None. */
    fake_run(g.d->vcpus[0]);
    at = 0;
    CU_ASSERT_EQUAL(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &at, 8), 0);
    memset(guest_ptr(&g, AREA), 0, PAGE_SIZE);
    g.d->vcpus[0]->time_stamp = TIME_NEVER;
    time_refresh_vcpu(g.d->vcpus[0]);
    CU_ASSERT_EQUAL(record_at(64)->version, 0);
    end();
}

/* --- the control domain's --- */

static long put_share(struct domain *d, unsigned weight, unsigned cap)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_scheduler_op, .domain = d->domid};

    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    op.u.scheduler_op.u.credit2.weight = (uint16_t)weight;
    op.u.scheduler_op.u.credit2.cap = (uint16_t)cap;
    return domctl(&op);
}

static void shares_that_make_no_sense(void)
{
    struct domain *d;

    begin(1);
    g.d->is_control = true;
    d = fake_domain(61, 2, 10);
    CU_ASSERT_EQUAL(put_share(d, 256, 200), 0); /* two vcpus on two CPUs */
    CU_ASSERT_EQUAL(put_share(d, 256, 201), -XEN_EINVAL);
    CU_ASSERT_EQUAL(put_share(d, 256, 65535), -XEN_EINVAL);
    CU_ASSERT_EQUAL(put_share(d, 0, 100), -XEN_EINVAL);
    CU_ASSERT_TRUE(d->sched.weight == 256 && d->sched.cap == 200); /* nothing of it was taken */
    CU_ASSERT_EQUAL(put_share(d, 1, 1), 0);
    CU_ASSERT_EQUAL(put_share(d, 65535, 0), 0);
    d->dying = DOMAIN_DYING;
    CU_ASSERT_EQUAL(put_share(d, 256, 0), -XEN_EINVAL);
    CU_ASSERT_TRUE(fake_destroy(d));
    end();
}

/* hard or soft 0: not asked for. The masks come back in *hard and *soft. */
static long put_masks(struct domain *d, unsigned vcpu, uint8_t *hard, uint8_t *soft)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_setvcpuaffinity, .domain = d->domid};
    struct xen_domctl_vcpuaffinity *a = &op.u.vcpuaffinity;
    uint8_t *maps = (uint8_t *)guest_ptr(&g, AREA);
    long rc;

    a->vcpu = vcpu;
    a->flags = (hard ? XEN_VCPUAFFINITY_HARD : 0) | (soft ? XEN_VCPUAFFINITY_SOFT : 0);
    a->cpumap_hard.nr_bits = a->cpumap_soft.nr_bits = 8;
    a->cpumap_hard.bitmap.p = (void *)guest_va_at(AREA);
    a->cpumap_soft.bitmap.p = (void *)(guest_va_at(AREA) + 8);
    maps[0] = hard ? *hard : 0;
    maps[8] = soft ? *soft : 0;
    rc = domctl(&op);
    if (hard)
        *hard = maps[0];
    if (soft)
        *soft = maps[8];
    return rc;
}

static void pins_that_make_no_sense(void)
{
    uint8_t missing = 0xf0, none = 0, first = 1, second = 2, some = 0xf6;
    struct domain *d;
    cpumask_t before;

    begin(1);
    g.d->is_control = true;
    d = fake_domain(61, 1, 10);
    before = d->vcpus[0]->sched.hard;
    CU_ASSERT_EQUAL(put_masks(d, 0, &missing, NULL), -XEN_EINVAL); /* there are four CPUs */
    CU_ASSERT_EQUAL(put_masks(d, 0, &none, NULL), -XEN_EINVAL);
    CU_ASSERT_EQUAL(put_masks(d, 0, NULL, &missing), -XEN_EINVAL);
    CU_ASSERT_EQUAL(put_masks(d, 0, NULL, NULL), -XEN_EINVAL);
    CU_ASSERT_EQUAL(put_masks(d, 1, &first, NULL), -XEN_EINVAL);
    CU_ASSERT_EQUAL(d->vcpus[0]->sched.hard, before);
    /* One bad mask of two: neither counts. */
    CU_ASSERT_EQUAL(put_masks(d, 0, &second, &missing), -XEN_EINVAL);
    CU_ASSERT_EQUAL(d->vcpus[0]->sched.hard, before);
    /* Masks that contradict each other are taken; none of the wish is left, which is told. */
    CU_ASSERT_EQUAL(put_masks(d, 0, &first, &second), 0);
    CU_ASSERT_TRUE(first == 1 && second == 0);
    CU_ASSERT_EQUAL(d->vcpus[0]->cpu, 0);
    CU_ASSERT_EQUAL(put_masks(d, 0, &some, NULL), 0);
    CU_ASSERT_EQUAL(some, 6);
    CU_ASSERT_NOT_EQUAL(d->vcpus[0]->sched.hard >> d->vcpus[0]->cpu & 1, 0);
    d->dying = DOMAIN_DYING;
    CU_ASSERT_EQUAL(put_masks(d, 0, &first, NULL), -XEN_EINVAL);
    CU_ASSERT_TRUE(fake_destroy(d));
    end();
}

void suite_vcpu_op(void);
void suite_vcpu_op(void)
{
    CU_pSuite s = CU_add_suite("vcpu_op", NULL, NULL);

    CU_add_test(s, "up, down, initialise", up_and_down);
    CU_add_test(s, "areas of a running vcpu", areas_of_a_running_vcpu);
    CU_add_test(s, "timers in the past", timers_in_the_past);
    CU_add_test(s, "a second clock record", a_second_clock_record);
    CU_add_test(s, "shares that make no sense", shares_that_make_no_sense);
    CU_add_test(s, "pins that make no sense", pins_that_make_no_sense);
}
