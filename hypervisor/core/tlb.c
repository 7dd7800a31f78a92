/* SPDX-License-Identifier: MIT */
/*
 * The TLB clock (tlb.h). It ticks at the start of every full flush. A frame's stamp is the clock
 * when its last reference went; a CPU's stamp is the tick of its last full flush. The CPU is clean
 * of the frame exactly when its flush began after the frame was stamped.
 *
 * Order: whoever stamps has removed the translation with a locked instruction before it reads the
 * clock, and a flush ticks with a locked instruction before it flushes: so a flush that the stamp
 * does not see yet either sees the translation gone or counts as older (MM-5). Interrupts are off
 * in the hypervisor, so no flush comes between reading the clock and storing the stamp on the
 * same CPU.
 *
 * The clock has 32 bits. Ages are differences to the present; a CPU that has not flushed for a
 * quarter of the clock's range counts as stale whatever it is asked about, which happens long
 * before ages could wrap.
 */
#include <tenue/percpu.h>
#include <tenue/tlb.h>

#define AGE_LIMIT (1u << 30)

uint32_t tlb_clock = 1;

cpumask_t tlb_stale_cpus(cpumask_t mask, uint32_t stamp)
{
    const uint32_t now = READ_ONCE(tlb_clock);
    const uint32_t stamp_age = now - stamp;
    cpumask_t stale = 0;

    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        uint32_t flush_age;

        if (!(mask >> cpu & 1))
            continue;
        flush_age = now - READ_ONCE(cpus[cpu]->flush_stamp);
        if (flush_age >= stamp_age || flush_age > AGE_LIMIT)
            stale |= (cpumask_t)1 << cpu;
    }
    return stale;
}
