/* SPDX-License-Identifier: MIT */
/*
 * What guests read as time: the pvclock record of each vcpu and the wallclock of each domain, both
 * in pages shared with the guest, both under a version that is odd while the record changes.
 * Versions are counted here and only copied there, since the guest can write the page.
 *
 * A guest may register a second place for a vcpu's record, which its user space can map. The
 * stable-TSC flag invites it to; it is set where the clocks of all CPUs are known to be one.
 *
 * Locks: wallclock_lock (RANK_TIMER) for the base and the domains' copies of it.
 */
#include <tenue/vcpu.h>

static struct spinlock wallclock_lock = SPINLOCK_INIT(RANK_TIMER);
static uint64_t wallclock_base; /* [wallclock_lock] UTC in ns at system time 0; 0: not yet read */

static void publish_clock(struct vcpu *v, struct vcpu_time_info *t)
{
    struct vcpu_time_info *u = &v->vcpu_info->time;

    t->version = v->time_version + 1;
    v->time_version += 2;
    WRITE_ONCE(u->version, t->version);
    barrier();
    /* By words: if v is put down and up meanwhile, another vcpu may be copying them (vcpu.c). */
    for (unsigned i = 0; i < sizeof(*t) / sizeof(uint64_t); i++)
        WRITE_ONCE(((uint64_t *)u)[i], ((uint64_t *)t)[i]);
    barrier();
    WRITE_ONCE(u->version, v->time_version);
    v->time_stamp = t->tsc_timestamp;
    vcpu_time_publish(v);
}

void time_write_area(const struct vcpu *v, guest_va area)
{
    struct vcpu_time_info t;

    hal_time_params(&t);
    t.version = v->time_version - 1;
    if (guest_write(area, &t.version, sizeof(t.version)) || guest_write_obj(area, &t))
        return; /* the guest's loss alone */
    t.version++;
    if (guest_write(area, &t.version, sizeof(t.version)))
        return;
}

void time_refresh_vcpu(struct vcpu *v)
{
    struct vcpu_time_info t;

    hal_time_params(&t);
    if (unlikely(t.tsc_timestamp != v->time_stamp))
        publish_clock(v, &t);
}

void time_update_wallclock(struct domain *d)
{
    shared_info_t *s = d->shared_info;
    uint64_t now;

    spin_lock(&wallclock_lock);
    if (wallclock_base == 0)
        wallclock_base = hal_wallclock_at_boot * NS_PER_SEC;
    now = wallclock_base + (uint64_t)d->time_offset_seconds * NS_PER_SEC;
    WRITE_ONCE(s->wc_version, ++d->wc_version | 1);
    barrier();
    s->wc_sec = (uint32_t)(now / NS_PER_SEC);
    s->wc_nsec = (uint32_t)(now % NS_PER_SEC);
    s->wc_sec_hi = (uint32_t)(now / NS_PER_SEC >> 32);
    barrier();
    d->wc_version = (d->wc_version | 1) + 1;
    WRITE_ONCE(s->wc_version, d->wc_version);
    spin_unlock(&wallclock_lock);
}

/* It was secs.nsecs when system time was system_time. */
int time_set_wallclock(uint64_t secs, uint32_t nsecs, ns_t system_time)
{
    struct domain *d;
    uint64_t utc;

    if (secs > (1ull << 34) || nsecs >= NS_PER_SEC)
        return -XEN_EINVAL;
    utc = secs * NS_PER_SEC + nsecs;
    if (utc < system_time)
        return -XEN_EINVAL;
    spin_lock(&wallclock_lock);
    wallclock_base = utc - system_time;
    spin_unlock(&wallclock_lock);
    for_each_domain (d)
        time_update_wallclock(d);
    return 0;
}
