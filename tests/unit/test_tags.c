/* SPDX-License-Identifier: MIT */
/*
 * Tagged TLBs (ADR 65, MM-5, MM-18): two vcpus on two CPUs, two processes with a kernel and a user
 * root each. A random history changes entries, invalidates in each way that the ABI has, switches
 * modes, processes and domains; a touch may see what the entry was at the last invalidation that
 * covered it on that CPU, or since, and nothing older. tests/model does the same for the
 * hypervisor's own safety: no translation to a frame that has become something else.
 *
 * Sabotage: in pv/tags.c leave out the second line of tags_invlpg(), or either tlb_tag_owes() of
 * tags_load_root(): random_histories fails. Leave out tlb_tag_owes() in root_in_force():
 * another_user_root_is_seen fails. Put tlb_flush_begin() and tlb_flush_end() around
 * tags_switch_root(): a_change_of_mode_is_no_flush fails. Leave out the last line of
 * tags_switch_root(): a_change_of_mode_keeps_both fails.
 */
#include <CUnit/CUnit.h>

#include "../../hypervisor/pv/mmu.h"
#include "../../hypervisor/pv/state.h"
#include "fake/fake.h"

#include <tenue/percpu.h>

#define CPUS 2u
#define PROCESSES 2u
#define PAGES 4u      /* of each process, from address 0 */
#define DATA 32u      /* the first of 16 frames that say which they are */
#define ARGUMENTS 50u /* where a hypercall's argument is */
#define SEEDS 40u
#define STEPS 400u

enum { KERNEL_L4, USER_L4, L3, L2, L1 };

static struct guest g;
static struct domain *other;
static uint64_t rng;
static unsigned running[CPUS];                   /* process */
static unsigned now[PROCESSES][PAGES];           /* data frame in the entry */
static uint32_t allowed[CPUS][PROCESSES][PAGES]; /* data frames that may still be seen */
static unsigned touches, old_seen;

static unsigned below(unsigned n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (unsigned)((rng * 0x2545f4914f6cdd1dull >> 11) % n);
}

static unsigned frame_of(unsigned process, unsigned table)
{
    return 10 + 8 * process + table;
}

static uint64_t entry_of(unsigned data)
{
    return guest_maddr(&g, DATA + data) | PTE_P | PTE_US;
}

static void make_process(unsigned p)
{
    for (unsigned t = KERNEL_L4; t <= L1; t++)
        CU_ASSERT_EQUAL(
            mmu_write_at(g.d, g.d, guest_maddr(&g, g.l1) + frame_of(p, t) * 8, 0, MMU_SET), 0);
    guest_ptr(&g, frame_of(p, KERNEL_L4))[511] = guest_maddr(&g, g.l3) | PTE_P | PTE_RW | PTE_US;
    for (unsigned t = KERNEL_L4; t <= L2; t++)
        guest_ptr(&g, frame_of(p, t))[0] =
            guest_maddr(&g, frame_of(p, t < L3 ? (unsigned)L3 : t + 1)) | PTE_P | PTE_RW | PTE_US;
    for (unsigned i = 0; i < PAGES; i++)
        guest_ptr(&g, frame_of(p, L1))[i] = entry_of(now[p][i]);
    for (unsigned t = KERNEL_L4; t <= USER_L4; t++)
        CU_ASSERT_EQUAL(mmu_pin(g.d, g.frames[frame_of(p, t)], PGT_L4), 0);
}

/* All that is cached on the CPU went. */
static void all_gone(unsigned cpu)
{
    for (unsigned i = 0; i < PAGES; i++)
        allowed[cpu][running[cpu]][i] = 1u << now[running[cpu]][i];
}

static long ext(unsigned cmd, uint64_t arg1)
{
    struct mmuext_op *op = (struct mmuext_op *)guest_ptr(&g, ARGUMENTS);

    op->cmd = cmd;
    op->arg1.mfn = arg1;
    return fake_hypercall(__HYPERVISOR_mmuext_op, guest_va_at(ARGUMENTS), 1, 0, DOMID_SELF);
}

static void switch_process(unsigned cpu, unsigned p)
{
    CU_ASSERT_EQUAL(ext(MMUEXT_NEW_BASEPTR, g.frames[frame_of(p, KERNEL_L4)].n), 0);
    CU_ASSERT_EQUAL(ext(MMUEXT_NEW_USER_BASEPTR, g.frames[frame_of(p, USER_L4)].n), 0);
    running[cpu] = p;
    all_gone(cpu);
}

static void set_entry(unsigned p, unsigned i, unsigned data)
{
    now[p][i] = data;
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        allowed[cpu][p][i] |= 1u << data;
}

static void page_gone(unsigned cpu, unsigned i)
{
    allowed[cpu][running[cpu]][i] = 1u << now[running[cpu]][i];
}

static void change(unsigned cpu, unsigned i, unsigned data)
{
    static const uint64_t flags[] = {UVMF_NONE, UVMF_INVLPG | UVMF_LOCAL, UVMF_INVLPG | UVMF_ALL,
                                     UVMF_TLB_FLUSH | UVMF_LOCAL, UVMF_TLB_FLUSH | UVMF_ALL};
    const unsigned how = below(ARRAY_LEN(flags));

    set_entry(running[cpu], i, data);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, (uint64_t)i << PAGE_SHIFT,
                                   entry_of(data), flags[how], 0),
                    0);
    for (unsigned c = 0; c < CPUS; c++) {
        if (how == 0 || (how % 2 == 1 && c != cpu))
            continue;
        if (how < 3)
            page_gone(c, i);
        else
            all_gone(c);
    }
}

static void invalidate(unsigned cpu, unsigned i)
{
    static const unsigned commands[] = {MMUEXT_INVLPG_LOCAL, MMUEXT_INVLPG_ALL,
                                        MMUEXT_TLB_FLUSH_LOCAL, MMUEXT_TLB_FLUSH_ALL};
    const unsigned how = below(ARRAY_LEN(commands));

    CU_ASSERT_EQUAL(ext(commands[how], (uint64_t)i << PAGE_SHIFT), 0);
    for (unsigned c = 0; c < CPUS; c++) {
        if (how % 2 == 0 && c != cpu)
            continue;
        if (how < 2)
            page_gone(c, i);
        else
            all_gone(c);
    }
}

static void touch(unsigned cpu, unsigned i)
{
    const uint32_t may = allowed[cpu][running[cpu]][i];
    uint64_t seen = 99;

    CU_ASSERT_TRUE(fake_load((uint64_t)i << PAGE_SHIFT, &seen));
    CU_ASSERT_TRUE(seen < 16 && may >> seen % 16 & 1);
    touches++;
    old_seen += seen != now[running[cpu]][i];
}

static void kernel_mode(bool wanted)
{
    if (current_vcpu()->pv.kernel_mode != wanted)
        pv_toggle_mode(current_vcpu());
}

static void one_step(void)
{
    const unsigned cpu = below(CPUS), op = below(16), i = below(PAGES), data = below(16);

    fake_on_cpu(cpu);
    if (op < 8) {
        kernel_mode(below(2));
        touch(cpu, i);
        return;
    }
    if (op == 8) { /* in whatever mode */
        fake_run(other->vcpus[cpu]);
        fake_run(g.d->vcpus[cpu]);
        all_gone(cpu);
        return;
    }
    kernel_mode(true);
    if (op < 11)
        change(cpu, i, data);
    else if (op < 13)
        invalidate(cpu, i);
    else if (op < 15)
        switch_process(cpu, below(PROCESSES));
    else {
        CU_ASSERT_EQUAL(mmu_write_at(g.d, g.d, guest_maddr(&g, frame_of(1, L1)) + i * 8,
                                     entry_of(data), MMU_SET),
                        0);
        set_entry(1, i, data);
    }
}

static void begin(void)
{
    fake_tags(true);
    other = fake_domain(6, CPUS, 8);
    guest_init(&g, fake_domain(5, CPUS, 200));
    for (unsigned i = 0; i < 16; i++)
        *guest_ptr(&g, DATA + i) = i;
    for (unsigned p = 0; p < PROCESSES; p++) {
        for (unsigned i = 0; i < PAGES; i++)
            now[p][i] = 8 * p + i;
        make_process(p);
    }
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        fake_on_cpu(cpu);
        fake_run(g.d->vcpus[cpu]);
        switch_process(cpu, 0);
    }
}

static void end(void)
{
    CU_ASSERT_EQUAL(fake_audit(), 0);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        fake_on_cpu(cpu);
        fake_run(NULL);
    }
    fake_on_cpu(0);
    CU_ASSERT_TRUE(fake_destroy(g.d));
    CU_ASSERT_TRUE(fake_destroy(other));
    fake_tags(false);
}

static void random_histories(void)
{
    touches = old_seen = 0;
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        rng = seed * 0x9e3779b97f4a7c15ull;
        begin();
        for (unsigned step = 0; step < STEPS; step++)
            one_step();
        end();
    }
    CU_ASSERT_TRUE(touches > SEEDS * STEPS / 4);
    CU_ASSERT_TRUE(old_seen > 0); /* else the TLBs keep nothing, and nothing was tested */
}

static void a_change_of_mode_keeps_both(void)
{
    unsigned flushes;

    begin();
    fake_on_cpu(0);
    for (unsigned i = 0; i < 2; i++) {
        touch(0, 0);
        pv_toggle_mode(g.d->vcpus[0]);
    }
    flushes = fake_counts.tag_flushes;
    for (unsigned i = 0; i < 10; i++) {
        touch(0, 0);
        pv_toggle_mode(g.d->vcpus[0]);
    }
    CU_ASSERT_EQUAL(fake_counts.tag_flushes, flushes);
    end();
}

/* Its translations are not stamped away by a change of mode: whoever retypes the frame must flush.
 */
static void a_change_of_mode_is_no_flush(void)
{
    begin();
    fake_on_cpu(0);
    for (unsigned i = 0; i < 3; i++) {
        const uint32_t stamp = tlb_stamp();

        pv_toggle_mode(g.d->vcpus[0]);
        CU_ASSERT_EQUAL(tlb_stale_cpus(1, stamp), 1);
    }
    hal_tlb_flush(1);
    CU_ASSERT_EQUAL(tlb_stale_cpus(1, tlb_stamp() - 1), 0);
    kernel_mode(true);
    end();
}

/* The same user root again is, as a load of CR3, a flush of what it has. */
static void the_same_root_again_flushes(void)
{
    unsigned flushes;

    begin();
    fake_on_cpu(0);
    touch(0, 0);
    kernel_mode(false);
    kernel_mode(true);
    CU_ASSERT_EQUAL(ext(MMUEXT_NEW_USER_BASEPTR, g.frames[frame_of(0, USER_L4)].n), 0);
    flushes = fake_counts.tag_flushes;
    kernel_mode(false);
    CU_ASSERT_EQUAL(fake_counts.tag_flushes, flushes + 1);
    kernel_mode(true);
    CU_ASSERT_EQUAL(fake_counts.tag_flushes, flushes + 1);
    end();
}

static void another_user_root_is_seen(void)
{
    uint64_t seen = 99;

    begin();
    fake_on_cpu(0);
    kernel_mode(false);
    touch(0, 2);
    kernel_mode(true);
    CU_ASSERT_EQUAL(ext(MMUEXT_NEW_USER_BASEPTR, g.frames[frame_of(1, USER_L4)].n), 0);
    touch(0, 2);
    kernel_mode(false);
    CU_ASSERT_TRUE(fake_load(2ull << PAGE_SHIFT, &seen));
    CU_ASSERT_EQUAL(seen, now[1][2]);
    kernel_mode(true);
    end();
}

void suite_tags(void);
void suite_tags(void)
{
    CU_pSuite s = CU_add_suite("tags", NULL, NULL);

    CU_add_test(s, "nothing stale is seen in random histories", random_histories);
    CU_add_test(s, "a change of mode keeps both roots' translations", a_change_of_mode_keeps_both);
    CU_add_test(s, "a change of mode is no flush", a_change_of_mode_is_no_flush);
    CU_add_test(s, "another user root is seen", another_user_root_is_seen);
    CU_add_test(s, "the same root again flushes", the_same_root_again_flushes);
}
