/* SPDX-License-Identifier: MIT */
/*
 * Bringing the fake machine up, and domains on it (fake.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fake.h"
#include "machine.h"

#include "../../hypervisor/core/sched_priv.h"

#include <tenue/bootinfo.h>
#include <tenue/entrypoints.h>
#include <tenue/m2p.h>
#include <tenue/pv.h>
#include <tenue/sched.h>

#define GUARD_BYTES (1ull << 30) /* on either side of RAM nothing can be touched */

FAKE_PER_CPU struct cpu *fake_this_cpu;
struct cpu *cpus[MAX_CPUS];
unsigned cpu_count;
struct boot_info boot_info;
uint8_t *hal_direct_map;
uint64_t *hal_m2p;
uint64_t hal_m2p_entries;
unsigned fake_restarts, fake_abandon_after;
void (*fake_on_restart)(void);

unsigned fake_frames = FAKE_FRAMES;

static struct cpu cpu_blocks[FAKE_CPUS];
static struct domain nobody; /* stands for the control domain while there is none */

static noreturn_fn void cannot(const char *what)
{
    fprintf(stderr, "fake machine: %s\n", what);
    exit(2);
}

static void memory_init(void)
{
    const uint64_t bytes = (uint64_t)fake_frames << PAGE_SHIFT;
    uint8_t *const space = mmap(NULL, bytes + 2 * GUARD_BYTES, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    frame_table = calloc(fake_frames, sizeof(*frame_table));
    hal_m2p = malloc(fake_frames * sizeof(*hal_m2p));
    if (space == MAP_FAILED || !frame_table || !hal_m2p)
        cannot("no memory");
    hal_direct_map = space + GUARD_BYTES;
    if (mprotect(hal_direct_map, bytes, PROT_READ | PROT_WRITE) != 0)
        cannot("no memory");
    frame_count = fake_frames;
    hal_m2p_entries = fake_frames;
    memset(hal_m2p, 0xff, fake_frames * sizeof(*hal_m2p));
    memset(hal_direct_map, 0xa5, bytes); /* nothing may reach a guest unzeroed */
    boot_info.e820[0] = (struct e820_region){0, 0x9fc00, E820_RAM};
    boot_info.e820[1] = (struct e820_region){0x9fc00, 0x60400, E820_RESERVED};
    boot_info.e820[2] = (struct e820_region){0x100000, bytes - 0x100000, E820_RAM};
    boot_info.e820_count = 3;
    heap_seed(mfn_make(0), mfn_make(fake_frames));
}

void fake_machine_init(void)
{
    cpu_count = FAKE_CPUS;
    for (unsigned i = 0; i < FAKE_CPUS; i++) {
        cpu_blocks[i] = (struct cpu){.id = i, .root = MFN_NONE};
        cpus[i] = &cpu_blocks[i];
    }
    fake_this_cpu = cpus[0];
    memory_init();
    for (unsigned i = 0; i < FAKE_CPUS; i++)
        sched_cpu_init(i);
    control_domain = &nobody;
    (void)pv_audit(); /* keeps memory of its own from the first time on */
    (void)fake_control_begin(1);
    fake_memory_baseline(); /* after it: the table of domains has grown */
}

struct domain *fake_control_begin(unsigned vcpus)
{
    struct domain *d = fake_domain(0, vcpus, fake_frames);

    if (!d || !d->is_control)
        cannot("no control domain");
    return d;
}

void fake_control_end(void)
{
    struct domain *d = control_domain;

    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i] && d->vcpus[i]->is_running)
            hal_unload_remote(d->vcpus[i]->is_running - 1, d->vcpus[i]);
    while (domain_kill(d) == -XEN_ERESTART)
        ;
    control_domain = &nobody; /* whatever dies after it has nobody to tell */
    fake_settle();
}

void fake_on_cpu(unsigned cpu)
{
    fake_this_cpu = cpus[cpu];
}

/* The scheduler loads only vcpus that belong to its CPU. */
static void belong_here(struct vcpu *v)
{
    const unsigned from = v->cpu, to = this_cpu()->id;

    sched_lock_two(from, to);
    if (from != to && v->sched.queued)
        sched_move_queued(v, to);
    else if (from != to && cpus[from]->runq.running != v)
        sched_carry(v, to);
    sched_unlock_two(from, to);
}

void fake_run(struct vcpu *v)
{
    if (!v) {
        hal_unload_current();
        return;
    }
    belong_here(v);
    if (v->is_running && v->is_running != 1 + this_cpu()->id)
        hal_unload_remote(v->is_running - 1, v);
    hal_context_switch(v);
}

void fake_stop_turns(void)
{
    struct cpu *c = cpus[0];

    c->runq.running = NULL;
    c->runq.load = 0;
    c->idle = true;
    timer_stop(&c->runq.turn);
    fake_run(NULL);
}

struct domain *fake_domain(uint16_t domid, unsigned vcpus, uint32_t max_frames)
{
    struct domain_config cfg = {
        .domid = domid,
        .is_control = domid == 0,
        .max_vcpus = vcpus,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .max_evtchn_port = MAX_EVTCHNS - 1,
        .max_pages = max_frames,
    };
    struct domain *d;

    if (domain_create(&cfg, &d) != 0)
        return NULL;
    for (unsigned i = 0; i < vcpus; i++)
        if (vcpu_create(d, i) != 0)
            cannot("no vcpu");
    return d;
}

static void softirqs_run(void)
{
    /* A scheduler pass would pick a vcpu to run; tests choose those themselves. */
    for (unsigned i = 0; i < 100; i++) {
        fake_time += NS_PER_SEC;
        this_cpu()->softirqs |= 1u << SOFTIRQ_TIMER;
        softirq_run_but_sched();
    }
}

void fake_settle(void)
{
    struct cpu *self = fake_this_cpu;

    for (unsigned round = 0; round < 8; round++)
        for (unsigned i = 0; i < cpu_count; i++) {
            fake_this_cpu = cpus[i];
            fake_time += NS_PER_SEC;
            this_cpu()->softirqs |= 1u << SOFTIRQ_TIMER | 1u << SOFTIRQ_WORK;
            softirq_run_but_sched();
        }
    fake_this_cpu = self;
}

bool fake_destroy(struct domain *d)
{
    const uint16_t domid = d->domid;
    struct domain *left;

    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i] && d->vcpus[i]->is_running)
            hal_unload_remote(d->vcpus[i]->is_running - 1, d->vcpus[i]);
    if (d->dying == DOMAIN_ALIVE)
        d->dying = DOMAIN_DYING;
    while (domain_kill(d) == -XEN_ERESTART)
        ;
    softirqs_run();
    left = domain_get(domid);
    if (left)
        domain_put(left);
    return !left;
}

bool fake_domains_gone(void)
{
    struct domain *d;

    softirqs_run();
    d = domain_next(1);
    if (d)
        domain_put(d);
    return !d;
}

/* --- hypercalls --- */

/* What guest_exit_work() does for the vcpu itself, once. True: again, when others had their turn.
 */
static bool exit_work(void)
{
    struct cpu *c = this_cpu();

    if (!c->current || !(c->softirqs & 1u << SOFTIRQ_TABLES))
        return false;
    c->softirqs &= ~(1u << SOFTIRQ_TABLES);
    if (pv_pay_old_tables(current_vcpu()) == 0)
        return false;
    c->softirqs |= 1u << SOFTIRQ_TABLES;
    return true;
}

long fake_hypercall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
    struct cpu_user_regs *r = hal_guest_regs();

    fake_restarts = 0;
    r->rip = GUEST_BASE + 0x1002; /* behind a SYSCALL */
    r->rax = nr;
    r->rdi = a0;
    r->rsi = a1;
    r->rdx = a2;
    r->r10 = a3;
    for (;;) {
        const uint64_t rip = r->rip;
        bool again, owes;

        hypercall_entry(r);
        again = r->rip != rip;
        if (again)
            r->rip += 2;
        do {
            owes = exit_work();
            if (!again && !owes)
                return (long)r->rax;
            if (++fake_restarts > 1000000)
                cannot("a hypercall restarts for ever");
            if (fake_on_restart)
                fake_on_restart();
            if (fake_abandon_after && fake_restarts >= fake_abandon_after)
                return -XEN_ERESTART;
        } while (owes);
    }
}

unsigned fake_audit(void)
{
    return pv_audit() + fake_tlb_audit() + fake_window_audit() + fake_balance_audit() +
           fake_leak_audit();
}
