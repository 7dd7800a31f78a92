/* SPDX-License-Identifier: MIT */
/*
 * Debug keys: what an operator sees of the hypervisor with Ctrl-a pressed three times, or through
 * `xl debug-keys` (sysctl debug_keys). They only look, except R.
 */
#include <tenue/log.h>

#include <tenue/hypercall.h>
#include <tenue/pv.h>

static void dump_vcpu(const struct vcpu *v)
{
    static const char *const states[] = {"running", "runnable", "blocked", "offline"};

    log_info("  v%u cpu %u %s flags %x events %s%s time %lu ms rip %lx", v->id, v->cpu,
             states[v->runstate.state & 3], v->pause_flags,
             READ_ONCE(v->vcpu_info->evtchn_upcall_pending) ? "pending" : "none",
             READ_ONCE(v->vcpu_info->evtchn_upcall_mask) ? " masked" : "",
             vcpu_cpu_time(v) / 1000000, v->regs.rip);
}

static void dump_domains(void)
{
    struct domain *d;

    for (uint32_t id = 0; (d = domain_next(id)) != NULL;) {
        log_info("d%u%s%s%s pages %u of %u, refs %u, paused %u, ports %u", d->domid,
                 d->is_control ? " control" : "", d->dying ? " dying" : "",
                 d->shutting_down ? " shut down" : "", d->pages.total, d->pages.max, d->refs,
                 d->pause_count, d->evtchn.active);
        for (uint32_t i = 0; i < d->max_vcpus; i++)
            if (d->vcpus[i]) {
                dump_vcpu(d->vcpus[i]);
                hal_take_interrupts();
            }
        id = d->domid + 1u;
        domain_put(d);
        hal_take_interrupts();
    }
}

static void dump_memory(void)
{
    log_info("memory: %lu frames, %lu free (%lu MiB)", READ_ONCE(heap_total_frames),
             READ_ONCE(heap_free_frames), READ_ONCE(heap_free_frames) >> (20 - PAGE_SHIFT));
}

static void dump_hypercalls(void)
{
    for (uint64_t nr = 0; nr < HYPERCALL_NRS; nr++) {
        uint64_t total = 0;

        for (unsigned cpu = 0; cpu < cpu_count; cpu++)
            total += cpus[cpu]->hypercall_count[nr];
        if (total)
            log_info("  %-28s %lu", hypercall_name(nr) ? hypercall_name(nr) : "(not offered)",
                     total);
    }
}

static void dump_cpus(void)
{
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        const struct vcpu *v = cpus[cpu]->runq.running;

        if (v)
            log_info("  CPU %u runs d%uv%u, idle %lu ms", cpu, v->domain->domid, v->id,
                     sched_idle_time(cpu) / 1000000);
        else
            log_info("  CPU %u idle, idle %lu ms", cpu, sched_idle_time(cpu) / 1000000);
    }
}

static void audit(void)
{
    unsigned bad = pv_audit();

    log_info("audit: %u violations", bad);
}

static void reboot(void)
{
    log_info("reboot asked for by a debug key");
    hal_reboot();
}

static void help(void);

static const struct {
    char key;
    void (*run)(void);
    const char *what;
} keys[] = {
    {'h', help, "this list"},
    {'q', dump_domains, "domains and their vcpus"},
    {'m', dump_memory, "memory"},
    {'r', dump_cpus, "what the CPUs run"},
    {'c', dump_hypercalls, "how often each hypercall was made"},
    {'a', audit, "recount all page references and types"},
    {'R', reboot, "reboot the machine"},
};

static void help(void)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        log_info("  %c  %s", keys[i].key, keys[i].what);
}

void debug_key(char key)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (keys[i].key == key) {
            log_info("key '%c': %s", key, keys[i].what);
            keys[i].run();
            return;
        }
    }
}
