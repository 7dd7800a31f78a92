/* SPDX-License-Identifier: MIT */
/*
 * Contract: four vCPUs that add to one counter under one of the SDK's locks, each
 * calling the hypervisor in the middle of every addition, lose none; and what the heap and a lock
 * give them together keeps its bytes.
 *
 * A failure means: guests with several vCPUs cannot share anything.
 * Sabotage: let front_lock() go on without waiting: additions are lost, blocks are given out twice.
 */
#include "guest.h"

GUEST_RUN("vcpus=4");

#define VCPUS 4
#define ROUNDS 4000

static struct front_lock lock;
static volatile u64 counter, finished, torn;

static void add_one(void)
{
    u64 seen;

    front_lock(&lock);
    seen = counter;
    hc_xen_version(XENVER_version, 0);
    counter = seen + 1;
    front_unlock(&lock);
}

static u8 *take(unsigned round)
{
    u8 *p;

    front_lock(&lock);
    p = front_malloc(16 + round % 300);
    front_unlock(&lock);
    return p;
}

static void use(unsigned round)
{
    u8 *p = take(round), mine = (u8)(front_vcpu_id() + 1);

    memset(p, mine, 16 + round % 300);
    hc_xen_version(XENVER_version, 0);
    for (unsigned i = 0; i < 16 + round % 300; i++) {
        if (p[i] != mine)
            __atomic_add_fetch(&torn, 1, __ATOMIC_RELAXED);
    }
    front_lock(&lock);
    front_free(p);
    front_unlock(&lock);
}

static void work(void)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        add_one();
        use(round);
    }
    __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

void guest_test(void)
{
    front_irq_enable();
    for (unsigned id = 1; id < VCPUS; id++) {
        int rc = front_vcpu_start(id, work);

        if (!check(rc == 0, "vcpu %u does not start: %d", id, rc))
            return;
    }
    work();
    check(front_wait(&finished, VCPUS, 60000000000UL), "only %lu of them end", finished);
    check_eq(counter, VCPUS * ROUNDS);
    check_eq(torn, 0);
    check_eq(front_heap_used(), 0);
}
