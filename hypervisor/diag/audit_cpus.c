/* SPDX-License-Identifier: MIT */
/* The audit of CPUs and run queues, which it locks one by one (audit.h). */
#include "audit.h"

#include <tenue/log.h>

#include "../core/sched_priv.h"

static unsigned violations;

static void cpu_violation(unsigned cpu, const char *what)
{
    violations++;
    log_err("audit: CPU %u: %s", cpu, what);
}

static void check_cpu(const struct cpu *c)
{
    const struct vcpu *v = c->current;

    if (!v) { /* the hypervisor's own root, which is nobody's page */
        if (page_owner(c->root) != DOMID_INVALID)
            cpu_violation(c->id, "the root loaded is not its vcpu's");
        return;
    }
    if (v->is_running != 1 + c->id)
        cpu_violation(c->id, "its vcpu says that it runs elsewhere");
    if (!mfn_eq(c->root, v->pv.kernel_mode ? v->pv.root_kernel : v->pv.root_user))
        cpu_violation(c->id, "the root loaded is not its vcpu's");
}

static void check_vcpus(const struct domain *d)
{
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *v = d->vcpus[i];
        const uint32_t where = v ? v->is_running : 0;

        if (where && (where > cpu_count || cpus[where - 1]->current != v))
            cpu_violation(where - 1, "a vcpu that is not loaded there says that it is");
    }
}

/* --- run queues --- */

static unsigned complain(unsigned cpu, const char *what)
{
    log_err("audit: run queue of CPU %u: %s", cpu, what);
    return 1;
}

static unsigned audit_queue(unsigned cpu)
{
    const struct run_queue *rq = queue_of(cpu);
    const struct vcpu *r = rq->running;
    uint32_t count = 0, load = r ? r->sched.weight : 0;
    unsigned bad = 0;

    if (r && (r->sched.queued || r->cpu != cpu || r->is_running != 1 + cpu))
        bad += complain(cpu, "the vcpu that runs is queued, or runs elsewhere");
    for (struct heap_node *n = rq->waiting; n; n = heap_next(n)) {
        const struct vcpu *v = vcpu_of_node(n);

        count++;
        load += v->sched.weight;
        if (!v->sched.queued || v->cpu != cpu || (v->is_running && v->is_running != 1 + cpu))
            bad += complain(cpu, "a vcpu that waits belongs elsewhere");
        if (key_before(n->key, rq->waiting->key))
            bad += complain(cpu, "the first is not the first");
    }
    if (count != rq->waiting_count || load != rq->load)
        bad += complain(cpu, "it holds another number of vcpus than it counts");
    return bad;
}

unsigned sched_audit(void)
{
    unsigned bad = 0;

    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        spin_lock(&queue_of(cpu)->lock);
        bad += audit_queue(cpu);
        spin_unlock(&queue_of(cpu)->lock);
    }
    return bad;
}

unsigned cpu_audit(void)
{
    struct domain *d;

    violations = 0;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        check_cpu(cpus[cpu]);
    for_each_domain (d) {
        check_vcpus(d);
    }
    return violations + sched_audit();
}
