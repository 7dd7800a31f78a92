/* SPDX-License-Identifier: MIT */
/*
 * pv/build.c: the control domain as a kernel finds it (contract 1.5, 1.6), from small ELF files:
 * start_info, P2M list, page tables, registers, ramdisk; sizes that just fit; memory in pieces and
 * memory that runs out at any allocation; kernels that ask for what cannot be (LC-11).
 *
 * Sabotage, each seen to fail: leave out the RW test in map_range(): the build itself is refused
 * (all tests). Give start_info the pfn after the tables as pt_base: start_of_day. Fill the P2M list
 * with pfns, or the M2P from each piece's start: lists_agree. Map one page less: the_initial_map.
 * Put the ramdisk one page further: both ramdisk tests. Count one table less, or more, for the P2M
 * area: p2m_elsewhere. Say >= for > in `end_pfn > frames`: smallest_memory. Drop domain_kill() on
 * failure: memory_sizes. Leave extent_count alone at the start: smallest_memory. Drop one half of
 * the comparison, or either guest_range_ok(): what_cannot_be. Skip the second segment: the_image.
 * Do not cap max_pages: memory_sizes. Do not repeat mmu_pin(): always_preempted.
 */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/core/page_priv.h"
#include "../../hypervisor/pv/pte.h"
#include "../../hypervisor/pv/state.h"
#include "fake/fake.h"
#include "kernel_image.h"

#include <tenue/bootinfo.h>
#include <tenue/options.h>
#include <tenue/pv.h>

#define HIGH 0xffffffff80000000ull
#define P2M_VA 0x8000000000ull
#define SLACK 0x80000u     /* at least, mapped behind the stack */
#define MAP_UNIT 0x400000u /* what the initial map ends at a multiple of */
#define KERNEL_AT 0x10000u /* modules lie in the first MiB, which is never given out */
#define RAMDISK_AT 0x40000u
#define TEXT 0x1000u
#define DATA 0x5000u
#define IMAGE_END 0x7000u

static struct kernel k;
static uint64_t ramdisk_bytes;
static struct domain *nobody;
static uint64_t free_before;

/* --- building --- */

static void fresh(uint64_t virt_base)
{
    kernel_begin(&k);
    kernel_segment(&k, TEXT, 0x1234, 0x3000, 0x90);
    kernel_segment(&k, DATA, 0x800, 0x2000, 0xda);
    kernel_notes(&k, virt_base, virt_base + TEXT + 0x40);
    ramdisk_bytes = 0;
    options = (struct options){.dom0_mem = 8ull << 20, .dom0_max_vcpus = 1};
}

static int build(void)
{
    static struct boot_info info;

    info = (struct boot_info){.module_count = ramdisk_bytes ? 2 : 1};
    info.modules[0] = (struct boot_module){.start = maddr_make(KERNEL_AT),
                                           .size = k.size,
                                           .name = "kernel",
                                           .args = "root=/dev/x quiet"};
    info.modules[1] = (struct boot_module){
        .start = maddr_make(RAMDISK_AT), .size = ramdisk_bytes, .name = "ramdisk"};
    memcpy(hal_direct_map + KERNEL_AT, k.file, k.size);
    for (uint64_t i = 0; i < ramdisk_bytes; i++)
        hal_direct_map[RAMDISK_AT + i] = (uint8_t)(i * 7 + i / 4096);
    (void)fake_log_take();
    free_before = READ_ONCE(heap_free_frames);
    return pv_build_control_domain(&info);
}

/* What was built passes the audit, goes, and all its memory comes back. */
static void gone(void)
{
    CU_ASSERT_EQUAL(fake_audit(), 0);
    fake_control_end();
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), free_before);
}

/* It was not built: the reason has these words in it, and nothing is left. */
static void refused(int rc, const char *words)
{
    const char *said = fake_log_take();

    CU_ASSERT_NOT_EQUAL(rc, 0);
    if (!strstr(said, words)) {
        fprintf(stderr, "not '%s' but: %s", words, said);
        CU_FAIL("the reason is another one");
    }
    if (rc == 0)
        fake_control_end();
    fake_settle();
    control_domain = nobody;
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), free_before);
}

/* --- looking at it as the guest would --- */

static struct vcpu *boot_vcpu(void)
{
    return control_domain->vcpus[0];
}

static bool mapped(uint64_t va)
{
    uint64_t e;

    return pte_walk_l1(boot_vcpu()->pv.root_kernel, va, &e) && e & PTE_P;
}

static uint64_t entry_of(uint64_t va)
{
    uint64_t e = 0;

    if (!mapped(va) || !pte_walk_l1(boot_vcpu()->pv.root_kernel, va, &e))
        CU_FAIL_FATAL("not mapped");
    return e;
}

static uint8_t *at(uint64_t va)
{
    return (uint8_t *)mfn_to_ptr(pte_mfn(entry_of(va))) + va % PAGE_SIZE;
}

static const start_info_t *si(void)
{
    return (const void *)at(boot_vcpu()->regs.rsi);
}

static mfn_t p2m(uint64_t pfn)
{
    return mfn_make(*(uint64_t *)(void *)at(si()->mfn_list + 8 * pfn));
}

static uint8_t *of_pfn(uint64_t pfn)
{
    return mfn_to_ptr(p2m(pfn));
}

/* Every frame once in the P2M list, the domain's, and the M2P table agrees. */
static void lists_agree(void)
{
    CU_ASSERT_EQUAL(si()->nr_pages, control_domain->pages.total);
    for (uint64_t pfn = 0; pfn < si()->nr_pages; pfn++) {
        const mfn_t m = p2m(pfn);

        if (m.n >= frame_count || page_owner(m) != 0 || hal_m2p[m.n] != pfn) {
            CU_FAIL("P2M and M2P differ");
            return;
        }
    }
}

/* The whole map at virt_base, page by page; its end. */
static uint64_t the_initial_map(uint64_t base)
{
    const uint64_t tables = (si()->pt_base - base) >> PAGE_SHIFT, count = si()->nr_pt_frames;
    const uint64_t stack = tables + count;
    uint64_t frames = (((stack + 1) << PAGE_SHIFT) + SLACK + base + MAP_UNIT - 1) / MAP_UNIT;

    frames = (frames * MAP_UNIT - base) >> PAGE_SHIFT;
    for (uint64_t pfn = 0; pfn < frames; pfn++) {
        const uint64_t e = entry_of(base + (pfn << PAGE_SHIFT));
        const bool is_table = pfn - tables < count;

        if (!mfn_eq(pte_mfn(e), p2m(pfn)) || !(e & PTE_RW) != is_table || !(e & PTE_US) ||
            e & (PTE_NX | PTE_G | PTE_CACHE)) {
            CU_FAIL("a page is not mapped as it must be");
            return 0;
        }
        if (is_table &&
            (type_of(page_of(p2m(pfn))->type) < PGT_L1 || !(page_of(p2m(pfn))->type & T_VALID)))
            CU_FAIL("a frame given as page table is none");
    }
    CU_ASSERT_EQUAL(boot_vcpu()->regs.rsp, base + ((stack + 1) << PAGE_SHIFT));
    CU_ASSERT_FALSE(mapped(base - PAGE_SIZE));
    CU_ASSERT_FALSE(mapped(base + (frames << PAGE_SHIFT)));
    return frames;
}

static void the_root(void)
{
    const mfn_t root = boot_vcpu()->pv.root_kernel;

    CU_ASSERT_TRUE(mfn_eq(root, pte_mfn(entry_of(si()->pt_base))));
    CU_ASSERT_EQUAL(type_of(page_of(root)->type), PGT_L4);
    CU_ASSERT_NOT_EQUAL(page_of(root)->type & T_PINNED, 0);
    CU_ASSERT_TRUE(mfn_is_none(boot_vcpu()->pv.root_user));
}

/* All that holds for any control domain. */
static uint64_t sound(uint64_t base)
{
    lists_agree();
    the_root();
    return the_initial_map(base);
}

/* --- tests --- */

static void start_of_day(void)
{
    const struct cpu_user_regs *r;

    fresh(HIGH);
    CU_ASSERT_EQUAL_FATAL(build(), 0);
    r = &boot_vcpu()->regs;
    CU_ASSERT_EQUAL(r->rip, HIGH + TEXT + 0x40);
    CU_ASSERT_EQUAL(r->cs | 3, FLAT_KERNEL_CS | 3);
    CU_ASSERT_EQUAL(r->rflags & (EFLAGS_IF | EFLAGS_TF | EFLAGS_IOPL), EFLAGS_IF);
    CU_ASSERT_EQUAL(r->rax | r->rbx | r->rcx | r->rdx | r->rdi | r->rbp | r->r8 | r->r15, 0);
    CU_ASSERT_TRUE(boot_vcpu()->initialised);
    CU_ASSERT_EQUAL(boot_vcpu()->vcpu_info->evtchn_upcall_mask, 1);
    CU_ASSERT_STRING_EQUAL(si()->magic, "xen-3.0-x86_64");
    CU_ASSERT_EQUAL(si()->nr_pages, (8 << 20) >> PAGE_SHIFT);
    CU_ASSERT_EQUAL(si()->shared_info, mfn_to_maddr(ptr_to_mfn(control_domain->shared_info)).a);
    CU_ASSERT_EQUAL(si()->flags, SIF_PRIVILEGED | SIF_INITDOMAIN);
    CU_ASSERT_EQUAL(si()->store_mfn | si()->store_evtchn, 0);
    CU_ASSERT_EQUAL(si()->console.dom0.info_off | si()->console.dom0.info_size, 0);
    CU_ASSERT_EQUAL(si()->mod_start | si()->mod_len, 0);
    CU_ASSERT_EQUAL(si()->first_p2m_pfn | si()->nr_p2m_frames, 0);
    CU_ASSERT_STRING_EQUAL((const char *)si()->cmd_line, "root=/dev/x quiet");
    /* Image, P2M list (4 pages), start_info, tables, stack: nothing in between. */
    CU_ASSERT_EQUAL(si()->mfn_list, HIGH + IMAGE_END);
    CU_ASSERT_EQUAL(r->rsi, HIGH + IMAGE_END + 4 * PAGE_SIZE);
    CU_ASSERT_EQUAL(si()->pt_base, r->rsi + PAGE_SIZE);
    CU_ASSERT_EQUAL(si()->nr_pt_frames, 3 + 2);
    CU_ASSERT_EQUAL(sound(HIGH), MAP_UNIT >> PAGE_SHIFT);
    gone();
}

static void the_image(void)
{
    fresh(HIGH);
    kernel_note_u64(&k, XEN_ELFNOTE_HYPERCALL_PAGE, HIGH + 0x3000);
    CU_ASSERT_EQUAL_FATAL(build(), 0);
    for (uint64_t a = 0; a < IMAGE_END; a++) {
        uint8_t want = a - TEXT < 0x1234 ? 0x90 : a - DATA < 0x800 ? 0xda : 0;

        if (a / PAGE_SIZE != 3 && *at(HIGH + a) != want)
            CU_FAIL("a byte of the image is another one");
    }
    /* mov $n, %eax; syscall; ret or the like, 32 bytes each. */
    CU_ASSERT_EQUAL(memcmp(at(HIGH + 0x3000 + 32 * 5) + 6, at(HIGH + 0x3000 + 32 * 6) + 6, 8), 0);
    CU_ASSERT_NOT_EQUAL(*at(HIGH + 0x3000), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(at(HIGH + 0x3000 + 32 * 5), at(HIGH + 0x3000 + 32 * 6), 32), 0);
    gone();
}

static void ramdisk_is(const uint8_t *(*page)(uint64_t n))
{
    for (uint64_t i = 0; i < ramdisk_bytes; i++)
        if (page(i / PAGE_SIZE)[i % PAGE_SIZE] != (uint8_t)(i * 7 + i / 4096)) {
            CU_FAIL("a byte of the ramdisk is another one");
            return;
        }
}
static const uint8_t *ramdisk_by_va(uint64_t n)
{
    return at(si()->mod_start + n * PAGE_SIZE);
}
static const uint8_t *ramdisk_by_pfn(uint64_t n)
{
    return of_pfn(si()->mod_start + n);
}

static void ramdisk_in_the_map(void)
{
    fresh(HIGH);
    ramdisk_bytes = 0x12345;
    CU_ASSERT_EQUAL_FATAL(build(), 0);
    CU_ASSERT_EQUAL(si()->flags & SIF_MOD_START_PFN, 0);
    CU_ASSERT_EQUAL(si()->mod_start, HIGH + IMAGE_END);
    CU_ASSERT_EQUAL(si()->mod_len, 0x12345);
    CU_ASSERT_EQUAL(si()->mfn_list, HIGH + IMAGE_END + 0x13000);
    ramdisk_is(ramdisk_by_va);
    (void)sound(HIGH);
    gone();
}

static void ramdisk_outside_the_map(void)
{
    uint64_t frames;

    fresh(HIGH);
    kernel_note(&k, XEN_ELFNOTE_MOD_START_PFN, "\1\0\0", 4);
    ramdisk_bytes = 0x12345;
    CU_ASSERT_EQUAL_FATAL(build(), 0);
    frames = sound(HIGH);
    CU_ASSERT_EQUAL(si()->flags & SIF_MOD_START_PFN, SIF_MOD_START_PFN);
    CU_ASSERT_EQUAL(si()->mod_start, frames);
    CU_ASSERT_EQUAL(si()->mod_len, 0x12345);
    CU_ASSERT_EQUAL(si()->mfn_list, HIGH + IMAGE_END);
    ramdisk_is(ramdisk_by_pfn);
    gone();
}

static void p2m_elsewhere(void)
{
    uint64_t frames, list;

    fresh(HIGH);
    kernel_note_u64(&k, XEN_ELFNOTE_INIT_P2M, P2M_VA);
    kernel_note_u64(&k, XEN_ELFNOTE_MOD_START_PFN, 1);
    ramdisk_bytes = 0x3001;
    CU_ASSERT_EQUAL_FATAL(build(), 0);
    frames = sound(HIGH);
    list = (si()->nr_pages * 8 + PAGE_SIZE - 1) / PAGE_SIZE;
    CU_ASSERT_EQUAL(si()->mfn_list, P2M_VA);
    CU_ASSERT_EQUAL(boot_vcpu()->regs.rsi, HIGH + IMAGE_END);
    CU_ASSERT_EQUAL(si()->first_p2m_pfn, frames + 4); /* behind the ramdisk */
    CU_ASSERT_EQUAL(si()->nr_p2m_frames, list + 3);
    for (uint64_t i = 0; i < list; i++) {
        const uint64_t e = entry_of(P2M_VA + i * PAGE_SIZE);

        CU_ASSERT_TRUE(mfn_eq(pte_mfn(e), p2m(si()->first_p2m_pfn + i)));
        CU_ASSERT_TRUE(e & PTE_RW); /* Linux fills the last page up */
    }
    CU_ASSERT_FALSE(mapped(P2M_VA + list * PAGE_SIZE));
    for (uint64_t i = list; i < si()->nr_p2m_frames; i++)
        CU_ASSERT_TRUE(type_of(page_of(p2m(si()->first_p2m_pfn + i))->type) >= PGT_L1);
    gone();
}

static void bases(void)
{
    static const uint64_t base[] = {0,
                                    0x1000,
                                    0x7ffffe000000ull,
                                    0x800000000000ull - MAP_UNIT, /* to the end of the half */
                                    0xffff880000000000ull,
                                    0xffffffff7ff00000ull,
                                    0 - (uint64_t)MAP_UNIT};

    for (unsigned i = 0; i < ARRAY_LEN(base); i++) {
        fresh(base[i]);
        CU_ASSERT_EQUAL_FATAL(build(), 0);
        lists_agree();
        the_root();
        if (i > 0 && i < 6 && i != 3)
            (void)the_initial_map(base[i]);
        else
            CU_ASSERT_TRUE(mapped(base[i]) && mapped(base[i] + MAP_UNIT - 1));
        gone();
    }
}

/* A domain as small as it can be has not a frame to spare, and one frame less is refused. */
static void smallest_memory(void)
{
    for (unsigned how = 0; how < 4; how++) {
        uint64_t frames = MAP_UNIT >> PAGE_SHIFT;
        bool built = false;

        for (; frames < 1100 && !built; frames++) {
            fresh(HIGH);
            options.dom0_mem = frames << PAGE_SHIFT;
            ramdisk_bytes = how & 1 ? 0x5000 : 0;
            if (how & 2)
                kernel_note_u64(&k, XEN_ELFNOTE_INIT_P2M, P2M_VA);
            kernel_note_u64(&k, XEN_ELFNOTE_MOD_START_PFN, 1);
            built = build() == 0;
            if (!built)
                refused(-1, "is too small");
        }
        CU_ASSERT_TRUE_FATAL(built);
        CU_ASSERT_EQUAL(sound(HIGH), MAP_UNIT >> PAGE_SHIFT);
        CU_ASSERT_EQUAL(si()->nr_pages,
                        (MAP_UNIT >> PAGE_SHIFT) + (how & 1 ? 5 : 0) + (how & 2 ? 3 + 3 : 0));
        gone();
    }
    fresh(HIGH);
    options.dom0_mem = MAP_UNIT - PAGE_SIZE;
    refused(build(), "dom0_mem=3M is too small: kernel 'kernel' and its ramdisk need 5M");
}

static void memory_sizes(void)
{
    uint64_t all;

    fresh(HIGH);
    options.dom0_mem = (READ_ONCE(heap_free_frames) + 1) << PAGE_SHIFT;
    refused(build(), "that are free: lower it");
    fresh(HIGH);
    options.dom0_mem = 1ull << 51;
    refused(build(), "that are free: lower it");
    fresh(HIGH); /* as much as is free leaves nothing for its own structures */
    options.dom0_mem = READ_ONCE(heap_free_frames) << PAGE_SHIFT;
    refused(build(), "too scattered: lower dom0_mem=");
    fresh(HIGH);
    options.dom0_mem = 0;
    all = READ_ONCE(heap_free_frames);
    CU_ASSERT_EQUAL_FATAL(build(), 0);
    CU_ASSERT_EQUAL(si()->nr_pages, all - all / 16);
    CU_ASSERT_EQUAL(control_domain->pages.max, si()->nr_pages);
    gone();
    fresh(HIGH);
    options.dom0_mem_min = 9 << 20;
    options.dom0_mem_max = 1ull << 45; /* 2^33 frames: more than can be counted */
    CU_ASSERT_EQUAL_FATAL(build(), 0);
    CU_ASSERT_EQUAL(si()->nr_pages, 9 << 8);
    CU_ASSERT_EQUAL(control_domain->pages.max, ~0u);
    gone();
}

static void processors(void)
{
    fresh(HIGH);
    options.dom0_max_vcpus = 3;
    CU_ASSERT_EQUAL_FATAL(build(), 0);
    CU_ASSERT_EQUAL(control_domain->max_vcpus, 3);
    CU_ASSERT_FALSE(control_domain->vcpus[1]->initialised);
    CU_ASSERT_FALSE(control_domain->vcpus[2]->initialised);
    gone();
    fresh(HIGH);
    options.dom0_max_vcpus = 0;
    CU_ASSERT_EQUAL_FATAL(build(), 0);
    CU_ASSERT_EQUAL(control_domain->max_vcpus, FAKE_CPUS);
    gone();
}

static void always_preempted(void)
{
    fresh(HIGH);
    kernel_note_u64(&k, XEN_ELFNOTE_INIT_P2M, P2M_VA);
    fake_preempt_every = 1;
    CU_ASSERT_EQUAL(build(), 0);
    fake_preempt_every = 0;
    (void)sound(HIGH);
    gone();
}

/* The n-th allocation fails, whichever it is: either smaller pieces do, or nothing is left. */
static void every_allocation_fails(void)
{
    unsigned failures = 0;

    for (unsigned n = 1; n < 1000; n++) {
        int rc;

        fresh(HIGH);
        options.dom0_max_vcpus = 2;
        kernel_note_u64(&k, XEN_ELFNOTE_INIT_P2M, P2M_VA);
        fake_fail_alloc = n;
        rc = build();
        if (fake_fail_alloc != 0) {
            fake_fail_alloc = 0;
            CU_ASSERT_EQUAL(rc, 0);
            gone();
            break; /* there are not that many */
        }
        if (rc != 0) {
            failures++;
            refused(rc, "lower dom0_mem=");
        } else {
            (void)sound(HIGH);
            gone();
        }
    }
    CU_ASSERT_TRUE(failures > 5);
}

/* All free memory in pieces of 2^order frames, every other of them taken away. */
static void *held[8192];
static unsigned scatter(unsigned order)
{
    unsigned n = 0, kept = 0;

    while (n < ARRAY_LEN(held) && (held[n] = hv_alloc_pages(order)) != NULL)
        n++;
    for (unsigned i = 0; i < n; i++)
        if (ptr_to_mfn(held[i]).n >> order & 1)
            hv_free_pages(held[i], order);
        else
            held[kept++] = held[i];
    return kept;
}
static void gather(unsigned count, unsigned order)
{
    while (count--)
        hv_free_pages(held[count], order);
}

static void memory_in_pieces(void)
{
    unsigned kept = scatter(5);

    fresh(HIGH);
    kernel_note_u64(&k, XEN_ELFNOTE_INIT_P2M, P2M_VA);
    kernel_note_u64(&k, XEN_ELFNOTE_MOD_START_PFN, 1);
    ramdisk_bytes = 0x12345;
    CU_ASSERT_EQUAL_FATAL(build(), 0);
    (void)sound(HIGH);
    ramdisk_is(ramdisk_by_pfn);
    fake_control_end();
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), free_before);
    gather(kept, 5);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    kept = scatter(0); /* more pieces than the builder can keep in mind */
    fresh(HIGH);
    CU_ASSERT_NOT_EQUAL(build(), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_take(), "too scattered: lower dom0_mem="));
    fake_settle();
    control_domain = nobody;
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), free_before);
    gather(kept, 0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

static void say_p2m(uint64_t va)
{
    kernel_note_u64(&k, XEN_ELFNOTE_INIT_P2M, va);
}

static void what_cannot_be(void)
{
    /* The P2M list of 8 MiB is 4 pages. */
    static const struct {
        uint64_t base, p2m;
        const char *words;
    } cases[] = {
        {0 - (uint64_t)SLACK, 0, "VIRT_BASE 0xfffffffffff80000, which leaves no room"},
        {0x800000000000ull - 0x8000, 0, "VIRT_BASE 0x7fffffff8000, which leaves no room"},
        {0x800000000000ull - SLACK, 0, "VIRT_BASE 0x7ffffff80000, which leaves no room"},
        {HIGH, 0x800000000000ull - 3 * PAGE_SIZE, "INIT_P2M 0x7fffffffd000, which leaves no room"},
        {HIGH, 0 - 3 * PAGE_SIZE, "INIT_P2M 0xffffffffffffd000, which leaves no room"},
        {HIGH, HIGH, "INIT_P2M 0xffffffff80000000, which overlaps the initial map"},
        {HIGH, HIGH + MAP_UNIT - PAGE_SIZE, "INIT_P2M 0xffffffff803ff000, which overlaps"},
        {HIGH, HIGH - 3 * PAGE_SIZE, "INIT_P2M 0xffffffff7fffd000, which overlaps"},
        {HIGH, 0xffff800000000000ull, "INIT_P2M 0xffff800000000000, which is not canonical, or"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        fresh(cases[i].base);
        if (cases[i].p2m)
            say_p2m(cases[i].p2m);
        refused(build(), cases[i].words);
    }
    fresh(HIGH);
    kernel_ph(&k, 1)->memsz = 1ull << 28;
    kernel_ph(&k, 2)->paddr = 1ull << 29;
    refused(build(), "is too small");
}

/* Touching the initial map, on either side, is no overlap. */
static void p2m_next_to_the_map(void)
{
    static const uint64_t p2ms[] = {HIGH + MAP_UNIT, HIGH - 4 * PAGE_SIZE, 0, 0 - 4 * PAGE_SIZE,
                                    0x800000000000ull - 4 * PAGE_SIZE};

    for (unsigned i = 0; i < ARRAY_LEN(p2ms); i++) {
        fresh(HIGH);
        say_p2m(p2ms[i]);
        CU_ASSERT_EQUAL_FATAL(build(), 0);
        CU_ASSERT_EQUAL(si()->mfn_list, p2ms[i]);
        lists_agree();
        the_root();
        gone();
    }
}

static int begin(void)
{
    fake_control_end();
    nobody = control_domain;
    return 0;
}

static int end(void)
{
    options = (struct options){.dom0_mem = 0};
    (void)fake_log_take();
    (void)fake_control_begin(1);
    return 0;
}

void suite_build(void);
void suite_build(void)
{
    CU_pSuite s = CU_add_suite("build", begin, end);

    CU_add_test(s, "start of day", start_of_day);
    CU_add_test(s, "the image, its bss and hypercall page", the_image);
    CU_add_test(s, "a ramdisk in the initial map", ramdisk_in_the_map);
    CU_add_test(s, "a ramdisk outside the initial map", ramdisk_outside_the_map);
    CU_add_test(s, "the P2M list elsewhere", p2m_elsewhere);
    CU_add_test(s, "kernels at any base", bases);
    CU_add_test(s, "the P2M list next to the initial map", p2m_next_to_the_map);
    CU_add_test(s, "the smallest memory has no frame to spare", smallest_memory);
    CU_add_test(s, "memory sizes", memory_sizes);
    CU_add_test(s, "processors", processors);
    CU_add_test(s, "preempted at every step", always_preempted);
    CU_add_test(s, "every allocation fails once", every_allocation_fails);
    CU_add_test(s, "memory in pieces", memory_in_pieces);
    CU_add_test(s, "what cannot be is refused", what_cannot_be);
}
