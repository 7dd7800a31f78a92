/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the control domain's kernel, as a boot loader passes it: a lying ELF file is parsed,
 * laid out, loaded, given page tables and a vcpu (LC-11, MM-1). The first bytes of the input choose
 * how much memory, ramdisk and processors there are; the rest is the file.
 *
 * Nothing outside the file is read (the memory behind it is poisoned), nothing is asserted, nothing
 * takes long. A refusal says why and leaves nothing behind. What was built passes the audit, and
 * what start_info says is mapped is mapped; then it goes and all its memory comes back.
 *
 * Sabotage, each caught by a seed: let in_file() forget the offset: a read outside. Drop
 * guest_range_ok() in lay_out_initial_map(): no end. Drop check_mapping() of VIRT_BASE, or
 * check_p2m_area(): check_built() fails. Drop domain_kill() on failure: memory is missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

#include "../unit/fake/fake.h"
#include "fuzz.h"

#include "../../hypervisor/pv/pte.h"

#include <tenue/bootinfo.h>
#include <tenue/options.h>
#include <tenue/pv.h>

#define FRAMES 4096u
/* Modules lie in the first MiB, which is never given out. */
#define KERNEL_AT 0x10000u
#define KERNEL_ROOM 0x60000u
#define RAMDISK_AT 0x80000u
#define RAMDISK_ROOM 0x70000u

static struct domain *nobody; /* the control domain while there is none */
static struct boot_info info;

static noreturn_fn void broken(const char *what)
{
    fprintf(stderr, "kernel_image: %s\n%s\n", what, fake_log_take());
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fake_frames = FRAMES;
    fake_machine_init();
    fake_control_end();
    nobody = control_domain;
    memset(hal_direct_map + RAMDISK_AT, 0x5a, RAMDISK_ROOM);
    return 0;
}

/* Five to twelve MiB; or all, too much, so much that nothing is left; or some allocation fails. */
static void choose_memory(unsigned how)
{
    options.dom0_mem = (5ull << 20) + (how << 15);
    if (how == 0xf0)
        options.dom0_mem = 0;
    else if (how == 0xf1)
        options.dom0_mem = 1ull << 44;
    else if (how == 0xf2)
        options.dom0_mem = READ_ONCE(heap_free_frames) << PAGE_SHIFT;
    else if (how > 0xf2)
        fake_fail_alloc = (how - 0xf2) * 2;
}

static void place_modules(struct input *in)
{
    const unsigned how = (unsigned)input_take(in, 1);
    const uint64_t ramdisk = input_take(in, 2) % (RAMDISK_ROOM >> 4) << 4;

    options = (struct options){.dom0_max_vcpus = how & 3};
    choose_memory((unsigned)input_take(in, 1));
    fake_preempt_every = how & 4 ? how >> 4 : 0;
    info = (struct boot_info){.module_count = how & 8 ? 2 : 1};
    info.modules[0] = (struct boot_module){.start = maddr_make(KERNEL_AT),
                                           .size = MIN(in->left, KERNEL_ROOM),
                                           .name = "kernel",
                                           .args = "some arguments"};
    info.modules[1] =
        (struct boot_module){.start = maddr_make(RAMDISK_AT), .size = ramdisk, .name = "ramdisk"};
    memcpy(hal_direct_map + KERNEL_AT, in->data, info.modules[0].size);
    ASAN_POISON_MEMORY_REGION(hal_direct_map + KERNEL_AT + info.modules[0].size,
                              RAMDISK_AT - KERNEL_AT - info.modules[0].size);
    ASAN_POISON_MEMORY_REGION(hal_direct_map + RAMDISK_AT + ramdisk, RAMDISK_ROOM - ramdisk);
}

/* [va, va + bytes) is mapped to the domain's frames from pfn on (ANY: whichever), writable or not.
 */
#define ANY (~0ull)
static void check_mapped(const struct vcpu *v, uint64_t va, uint64_t bytes, uint64_t pfn,
                         bool writable)
{
    for (uint64_t at = va; at - va < bytes; at += PAGE_SIZE) {
        uint64_t e;

        if (!pte_walk_l1(v->pv.root_kernel, at, &e) || !(e & PTE_P))
            broken("start_info tells of something that is not mapped");
        if (page_owner(pte_mfn(e)) != 0)
            broken("a mapping of a frame that is not the domain's");
        if (pfn != ANY && hal_m2p[pte_mfn(e).n] != pfn + ((at - va) >> PAGE_SHIFT))
            broken("another frame is mapped than the layout has there");
        if (!(e & PTE_RW) == writable)
            broken(writable ? "a page may not be written" : "a page table may be written");
    }
}

static void check_p2m_list(const struct vcpu *v, const start_info_t *si)
{
    check_mapped(v, si->mfn_list, si->nr_pages * 8, ANY, true);
    for (uint64_t pfn = 0; pfn < si->nr_pages; pfn++) {
        const uint64_t va = si->mfn_list + pfn * 8;
        uint64_t e, m;

        if (!pte_walk_l1(v->pv.root_kernel, va, &e))
            broken("no P2M list");
        m = ((uint64_t *)mfn_to_ptr(pte_mfn(e)))[va % PAGE_SIZE / 8];
        if (m >= frame_count || page_owner(mfn_make(m)) != 0 || hal_m2p[m] != pfn)
            broken("the P2M list does not agree with the M2P table");
    }
}

static void check_built(void)
{
    const struct vcpu *v = control_domain->vcpus[0];
    const struct cpu_user_regs *r = &v->regs;
    const start_info_t *si;
    uint64_t e, base;

    if (r->rsi % PAGE_SIZE != 0 || !pte_walk_l1(v->pv.root_kernel, r->rsi, &e))
        broken("no start_info at RSI");
    si = mfn_to_ptr(pte_mfn(e));
    if (si->nr_pages != control_domain->pages.total ||
        (options.dom0_mem && si->nr_pages != options.dom0_mem >> PAGE_SHIFT))
        broken("start_info has another size than the domain");
    base = si->pt_base - (hal_m2p[v->pv.root_kernel.n] << PAGE_SHIFT);
    check_mapped(v, base, si->pt_base - base, 0, true);
    check_mapped(v, si->pt_base, si->nr_pt_frames << PAGE_SHIFT, (si->pt_base - base) >> PAGE_SHIFT,
                 false);
    check_mapped(v, r->rsp - PAGE_SIZE, 1, (r->rsp - base - PAGE_SIZE) >> PAGE_SHIFT, true);
    if (r->rip < base || r->rip >= r->rsi)
        broken("RIP is not in the image");
    check_p2m_list(v, si);
    if (si->mod_len && !(si->flags & SIF_MOD_START_PFN))
        check_mapped(v, si->mod_start, si->mod_len, (si->mod_start - base) >> PAGE_SHIFT, true);
    if (si->mod_len && si->flags & SIF_MOD_START_PFN &&
        si->mod_start + (si->mod_len >> PAGE_SHIFT) >= si->nr_pages)
        broken("a ramdisk outside the domain");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    const uint64_t free_before = READ_ONCE(heap_free_frames);
    int rc;

    place_modules(&in);
    (void)fake_log_take();
    rc = pv_build_control_domain(&info);
    fake_preempt_every = fake_fail_alloc = 0;
    if (rc == 0) {
        check_built();
        if (fake_audit() != 0)
            broken("what was built does not pass the audit");
        fake_control_end();
    } else {
        if (*fake_log_take() == '\0')
            broken("refused without a word");
        fake_settle();
        control_domain = nobody;
    }
    ASAN_UNPOISON_MEMORY_REGION(hal_direct_map + KERNEL_AT, RAMDISK_AT + RAMDISK_ROOM - KERNEL_AT);
    if (READ_ONCE(heap_free_frames) != free_before)
        broken("memory is missing afterwards");
    return 0;
}
