/* SPDX-License-Identifier: MIT */
/*
 * Sequences of hypercalls by several domains on a machine that is against the hypervisor.
 *
 * Each step, a vcpu makes one call, or does what guests do without asking: touch memory through
 * its TLB, write tables that it does not use, change its grants. During a call, depending on the
 * step: any or every preemption point fires; the n-th allocation fails; what was read from guest
 * memory changes behind the read; another vcpu makes a whole call at a preemption point, behind a
 * read, or between a call and its continuation; the guest never continues it. After each step
 * everything is audited. In the end everybody dies, and every frame must be free.
 *
 * Sabotage, each tried alone and found within the sequences of `make check`: leave out one writable
 * type put (pte_l1_drop), the flush at allocation (heap_take), at promotion (claim_idle) or at
 * unmap (finish_unmaps); the bounds of a copy, of a reference (grant_find), a port (port_lookup) or
 * an area (vcpu_map_vcpu_info); the undo of a pin (map_pinned), of a GDT (pv_set_gdt) or of half a
 * grant frame (add_frame); read a copy's arguments twice (copy_one); clear no new frame
 * (domain_alloc_frames, take_blocks); leave a peer connected (evtchn_close) or an interrupt bound;
 * forget the owner (page_get_owned), a partial table's reference (claimed_validate) or a cursor's
 * last step (table_validate, table_devalidate); let gates or ring 0 into a descriptor, the write
 * bit be harmless, guests map devices, a mapped frame be stolen (domain_steal_frame); copy out what
 * was not set (op_status, op_get_physid); keep a domain's reference (claim_pages), a second pin's
 * (mmu_pin), a dead mapper's pin (handle_release), an old root in CR3 (pv_root_set), descriptors on
 * show (pv_set_ldt).
 */
#include "drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../hypervisor/core/sched_priv.h"
#include "../../../hypervisor/pv/pte.h"
#include "../../../hypervisor/pv/mmu.h"
#include "../../../hypervisor/pv/state.h"

#include <tenue/entrypoints.h>
#include <tenue/percpu.h>
#include <tenue/pv.h>

struct progress progress;

static struct vcpu *outer;      /* whose call is under way, at the top */
static bool inside;             /* a call in the middle of it is under way */
static bool flips, interferes;  /* behind reads of guest memory */
static unsigned audit_restarts; /* one of so many restarts is audited */

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "hypercalls: %s\n", what);
    progress_say();
    fprintf(stderr, "%s\n", fake_log_take());
    abort();
}

void progress_say(void)
{
    fprintf(stderr, "hypercalls: seed %lu, step %u of its sequence: %s\n", progress.seed,
            progress.step, progress.doing);
}

/* --- between the lines of a call --- */

static struct vcpu *somebody_else(void)
{
    struct actor *a = &actors[pick(ACTORS)];
    struct vcpu *v = runnable_vcpu(a);

    return v && v != outer ? v : NULL;
}

static struct actor *actor_of(const struct vcpu *v)
{
    for (unsigned i = 0; i < ACTORS; i++)
        if (actors[i].d == v->domain)
            return &actors[i];
    return NULL;
}

static void run_in_kernel_mode(struct vcpu *v)
{
    fake_run(v);
    if (!v->pv.kernel_mode)
        pv_toggle_mode(v); /* as if it had made a system call */
}

/* Somebody else would wait for who has a table to himself; here he would wait for ever. */
static bool table_is_locked(void)
{
    for (uint64_t m = 0; m < frame_count; m++)
        if (frame_table[m].type & T_LOCKED && frame_table[m].count & C_DOM)
            return true;
    return false;
}

/* Another vcpu makes a call on another CPU, start to end or until it is preempted a few times. */
static void interfere(void)
{
    const unsigned cpu = this_cpu()->id, restarts = fake_restarts, patience = fake_abandon_after;
    void (*const hook)(void) = fake_on_restart;
    struct vcpu *v;
    struct call c;

    if (inside || !outer || table_is_locked())
        return;
    inside = true;
    v = somebody_else();
    if (v) {
        fake_on_cpu((cpu + 1 + pick(FAKE_CPUS - 1)) % FAKE_CPUS);
        run_in_kernel_mode(v);
        c = (struct call){.a = actor_of(v), .nested = true, .spare_domid = outer->domain->domid};
        fake_on_restart = NULL;
        fake_abandon_after = 3;
        call_run(&c, some_op(&c));
        progress.calls++;
        this_cpu()->softirqs &= ~(1u << SOFTIRQ_SCHED);
        softirq_run_but_sched(); /* who died is freed, unless it is in use */
        world_refresh(false);
        fake_abandon_after = patience;
        fake_on_restart = hook;
        fake_restarts = restarts;
        fake_on_cpu(cpu);
    }
    inside = false;
}

static void behind_read(uint64_t va, uint64_t bytes)
{
    uint8_t noise;

    if (inside || !outer)
        return;
    if (flips && one_in(2)) {
        noise = (uint8_t)any64();
        (void)hal_copy_to_guest(va + pick((uint32_t)MIN(bytes, 4096)), &noise, 1);
    }
    if (interferes && one_in(4))
        interfere();
}

static void at_point(void)
{
    if (interferes && one_in(4))
        interfere();
}

static void between_restarts(void)
{
    if (inside)
        return;
    if (one_in(audit_restarts))
        check(fake_audit() == 0, "the audit between a call and its continuation");
    if (interferes && one_in(2))
        interfere();
}

static void adversities(bool on, bool control)
{
    fake_preempt_every = on && one_in(2) ? 1 + pick(4) : 0;
    fake_fail_alloc = on && one_in(control ? 6 : 12) ? 1 + pick(4) : 0;
    fake_abandon_after = on && one_in(fake_preempt_every ? 6 : 16) ? 1 + pick(3) : 0;
    flips = on && !control && one_in(6);
    interferes = on && one_in(5);
    audit_restarts = 8;
    fake_metal.after_guest_read = flips || interferes ? behind_read : NULL;
    fake_metal.at_preempt_point = interferes ? at_point : NULL;
    fake_on_restart = on ? between_restarts : NULL;
}

/* --- what a guest does without a hypercall --- */

static void touch(void)
{
    const unsigned page = one_in(2) ? HOLES + pick(4) : pick(ARGS);
    uint64_t word;

    if (one_in(2))
        (void)fake_load(one_in(4) ? some_va() & ~7ull : guest_va_at(page), &word);
    else
        (void)fake_store(guest_va_at(page) + pick(512) * 8, some_pte(actor_of(outer)));
}

static void touch_as_user(void)
{
    if (mfn_is_none(outer->pv.root_user))
        return;
    pv_toggle_mode(outer);
    touch();
    vcpu_runstate_publish(outer);
    pv_toggle_mode(outer);
}

static void table_store(struct actor *a)
{
    uint64_t old = 0;

    maddr_t at;

    at = ptwr_find(outer, guest_va_at(pick(TYPED)) + some_slot() * 8, &old);

    if (!at.a || mmu_l1_write(outer->domain, outer->domain, at, some_pte(a), MMU_COMPARE, &old))
        return; /* not a table, or not an entry for it: as good */
}

static long map_page(uint64_t va, uint64_t pte)
{
    return fake_hypercall(__HYPERVISOR_update_va_mapping, va, pte, 0, 0);
}

/* Map a frame, write to it, map it no more - all without a flush -, and put it to another use. */
static void use_and_reuse(struct actor *a)
{
    const mfn_t m = a->frames[SPARE + pick(4)];
    const uint64_t va = guest_va_at(HOLES + pick(4)), args = guest_va_at(ARGS);
    static struct xen_memory_reservation r; /* static: no padding is left unset */
    static struct mmuext_op pin;

    if (map_page(va, mfn_to_maddr(m).a | PTE_P | PTE_RW) != 0 || !fake_store(va, 0))
        return;
    if (map_page(va, one_in(2) ? 0 : mfn_to_maddr(m).a | PTE_P) != 0)
        return;
    pin.cmd = MMUEXT_PIN_L1_TABLE + pick(4);
    pin.arg1.mfn = m.n;
    r.nr_extents = 1;
    r.domid = DOMID_SELF;
    set_xen_guest_handle(r.extent_start, (xen_pfn_t *)(args + 64));
    if (one_in(2)) {
        if (hal_copy_to_guest(args, &pin, sizeof(pin)) == 0)
            (void)fake_hypercall(__HYPERVISOR_mmuext_op, args, 1, 0, DOMID_SELF);
    } else if (hal_copy_to_guest(args, &r, sizeof(r)) == 0 &&
               hal_copy_to_guest(args + 64, &m.n, sizeof(m.n)) == 0) {
        (void)fake_hypercall(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, args, 0, 0);
    }
}

static void do_something(struct actor *a)
{
    static const char *const names[] = {"touch",         "touch as user", "table store",
                                        "craft",         "LDT access",    "regrant",
                                        "use and reuse", "time passes"};
    const unsigned what = pick(ARRAY_LEN(names));

    progress.doing = names[what];
    switch (what) {
    case 0:
        touch();
        break;
    case 1:
        touch_as_user();
        break;
    case 2:
        table_store(a);
        break;
    case 3:
        for (unsigned i = 1 + pick(3); i; i--)
            world_craft(a);
        break;
    case 4:
        (void)pv_ldt_fault(pick(1100) * 8);
        break;
    case 5:
        world_regrant(a, pick(REFS));
        break;
    case 6:
        use_and_reuse(a);
        break;
    default:
        fake_time += pick(100) * 1000000ull;
        this_cpu()->softirqs |= 1u << SOFTIRQ_TIMER;
        time_refresh_vcpu(outer);
        vcpu_runstate_publish(outer);
    }
}

/* --- steps --- */

/* What the way out of the hypervisor would do on each CPU, but for choosing who runs. */
static void way_out(void)
{
    const unsigned self = this_cpu()->id;

    for (unsigned i = 0; i < FAKE_CPUS; i++) {
        fake_on_cpu(i);
        this_cpu()->softirqs &= ~(1u << SOFTIRQ_SCHED);
        softirq_run_but_sched();
        this_cpu()->softirqs &= ~(1u << SOFTIRQ_SCHED);
    }
    fake_on_cpu(self);
}

static void one_call(struct actor *a)
{
    struct call c = {.a = a};
    const struct op *op = some_op(&c);

    progress.doing = op->name;
    progress.calls++;
    adversities(true, a->d->is_control);
    call_run(&c, op);
    adversities(false, false);
}

/* Mostly one that is loaded: its translations are the older the longer it stays. */
static struct vcpu *next_vcpu(void)
{
    struct vcpu *v = cpus[pick(FAKE_CPUS)]->current;

    if (v && !one_in(3) && vcpu_is_runnable(v) && actor_of(v))
        return v;
    return runnable_vcpu(&actors[pick(ACTORS)]);
}

static void one_step(void)
{
    struct vcpu *v = next_vcpu();
    struct actor *a = v ? actor_of(v) : NULL;

    if (!v) { /* let the control domain do something about it */
        a = &actors[0];
        v = runnable_vcpu(a);
        if (!v)
            return;
    }
    fake_on_cpu(v->is_running ? v->is_running - 1 : pick(FAKE_CPUS));
    run_in_kernel_mode(v);
    outer = v;
    if (one_in(5))
        do_something(a);
    else
        one_call(a);
    outer = NULL;
    check(fake_audit() == 0, "the audit");
    way_out();
    check(fake_audit() == 0, "the audit on the way out");
    world_refresh(one_in(4));
}

void run_sequence(void)
{
    unsigned steps = 16 + pick(49); /* four of five are calls; others come in the middle */

    world_begin();
    for (progress.step = 0; progress.step < steps && !choices_spent(); progress.step++)
        one_step();
    progress.doing = "the end";
    if (one_in(4))
        fake_preempt_every = 1 + pick(3);
    check(world_end(), "somebody does not die, or frames are lost");
    fake_preempt_every = 0;
    check(fake_audit() == 0, "the audit of the empty machine");
    (void)fake_log_take();
    progress.sequences++;
}
