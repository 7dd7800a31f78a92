/* SPDX-License-Identifier: MIT */
/*
 * The control domain: from boot modules to a vcpu that can run.
 *
 * Guest frames are numbered from the domain's first frame on, in this order (contract 1.5):
 *
 *   pfn 0 .. image .. start_info | page tables, L4 first | boot stack | slack to 4 MiB   mapped at
 *                                                                       VIRT_BASE
 *   ramdisk (mapped only if the kernel does not take it by pfn)
 *   P2M list | the tables that map it                                   mapped at INIT_P2M
 *
 * A kernel without INIT_P2M gets its P2M list in front of start_info, inside the first mapping.
 * Tables are filled as plain memory and then validated as any guest's: nothing here is trusted
 * more than a hypercall's work (MM-1). The kernel is input from outside: each address that it names
 * is checked by elf.c, and what would lie there by lay_out(), before the first frame is taken.
 * Runs once, alone, before any guest: no locks. On failure nothing is kept.
 */
#include <tenue/assert.h>
#include <tenue/log.h>
#include <tenue/m2p.h>
#include <tenue/options.h>
#include <tenue/pv.h>

#include "lib.h"

#include "elf.h"
#include "mmu.h"
#include "state.h"

#define EXTENTS_MAX 256u
#define EXTENT_ORDER_MAX 18u
#define SLACK_AFTER_STACK (512ull << 10)
#define INITIAL_MAP_ALIGN (4ull << 20)
#define PTE_BUILT (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D) /* every entry we make */
#define RESERVE_SHARE 16u /* of free memory kept for guests when dom0_mem= is not given... */
#define RESERVE_MAX ((128ull << 20) >> PAGE_SHIFT) /* ...but at most this, in frames */

struct extent {
    uint64_t pfn;
    mfn_t mfn;
    uint64_t frames;
};

struct layout {
    uint64_t ramdisk_pfn, ramdisk_bytes;
    bool ramdisk_mapped;
    uint64_t p2m_pfn, p2m_frames, p2m_tables_pfn, p2m_tables;
    uint64_t start_info_pfn, tables_pfn, tables, stack_pfn;
    uint64_t mapped_frames; /* [virt_base, virt_base + mapped_frames pages) */
    uint64_t end_pfn;       /* frames the layout needs in all */
};

/* One domain is ever built, before any other: its scratch may be static. */
static struct builder {
    struct domain *d;
    struct pv_image image;
    struct layout at;
    struct extent extents[EXTENTS_MAX];
    unsigned extent_count;
    uint64_t frames; /* size of the domain */
    uint64_t next_table_pfn;
    vcpu_guest_context_t context;
} builder;

static int refuse(const struct boot_module *m, const struct pv_image *img, const char *why)
{
    const char *name = m->name[0] != '\0' ? m->name : "(kernel)";

    if (img->field != NULL)
        log_err("module 0 '%s' has %s %#lx, which %s", name, img->field, img->value, why);
    else
        log_err("module 0 '%s' %s", name, why);
    return -XEN_EINVAL;
}

static mfn_t mfn_of_pfn(const struct builder *b, uint64_t pfn)
{
    for (unsigned i = 0; i < b->extent_count; i++)
        if (pfn - b->extents[i].pfn < b->extents[i].frames)
            return mfn_add(b->extents[i].mfn, pfn - b->extents[i].pfn);
    panic("control domain layout names pfn %#lx, which it does not own", pfn);
}

static void *frame_at(const struct builder *b, uint64_t pfn)
{
    return mfn_to_ptr(mfn_of_pfn(b, pfn));
}

static uint64_t frames_for(uint64_t bytes)
{
    return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* L1, L2 and L3 tables that map [va, va + frames pages), without the L4. */
static uint64_t tables_for(uint64_t va, uint64_t frames)
{
    uint64_t last = va + (frames << PAGE_SHIFT) - 1, n = 0;

    for (unsigned shift = 21; shift <= 39; shift += 9)
        n += (last >> shift) - (va >> shift) + 1;
    return n;
}

/* Page tables lie inside what they map: grow until they fit. False: that leaves guest space. */
static bool lay_out_initial_map(struct builder *b, uint64_t first_pfn)
{
    const uint64_t base = b->image.virt_base;
    struct layout *at = &b->at;

    at->start_info_pfn = first_pfn;
    at->tables_pfn = first_pfn + 1;
    for (at->tables = 4;; at->tables++) {
        uint64_t end;

        at->stack_pfn = at->tables_pfn + at->tables;
        end = ((at->stack_pfn + 1) << PAGE_SHIFT) + SLACK_AFTER_STACK + base;
        end = ROUND_UP(end, INITIAL_MAP_ALIGN);
        at->mapped_frames = (end - base) >> PAGE_SHIFT;
        if (!guest_range_ok(guest_va_make(base), end - base))
            return false;
        if (tables_for(base, at->mapped_frames) + 1 <= at->tables)
            return true;
    }
}

/* Its mapping must lie in guest space, and apart from the initial one. */
static const char *check_p2m_area(struct builder *b)
{
    const uint64_t p2m = b->image.init_p2m, base = b->image.virt_base;
    const uint64_t bytes = b->at.p2m_frames << PAGE_SHIFT,
                   mapped = b->at.mapped_frames << PAGE_SHIFT;

    if (!guest_range_ok(guest_va_make(p2m), bytes))
        return pv_image_refuse(&b->image, "INIT_P2M", p2m,
                               "leaves no room for the P2M list below the end of guest space: "
                               "configure the kernel for a lower one");
    if (p2m - base < mapped || base - p2m < bytes)
        return pv_image_refuse(&b->image, "INIT_P2M", p2m,
                               "overlaps the initial map at VIRT_BASE: configure the kernel for "
                               "another one");
    return NULL;
}

/* The next so many frames. */
static uint64_t take(uint64_t *next, uint64_t frames)
{
    const uint64_t pfn = *next;

    *next += frames;
    return pfn;
}

/* NULL, or why the kernel cannot be laid out as it demands. */
static const char *lay_out(struct builder *b, const struct boot_module *ramdisk)
{
    const bool own_p2m_area = b->image.init_p2m != PV_ADDR_UNSET;
    struct layout *at = &b->at;

    *at = (struct layout){.p2m_frames = frames_for(b->frames * sizeof(uint64_t)),
                          .ramdisk_bytes = ramdisk != NULL ? ramdisk->size : 0,
                          .ramdisk_mapped = !b->image.mod_start_pfn,
                          .end_pfn = frames_for(b->image.end)};
    if (at->ramdisk_mapped)
        at->ramdisk_pfn = take(&at->end_pfn, frames_for(at->ramdisk_bytes));
    if (!own_p2m_area)
        at->p2m_pfn = take(&at->end_pfn, at->p2m_frames);
    if (!lay_out_initial_map(b, at->end_pfn))
        return pv_image_refuse(&b->image, "VIRT_BASE", b->image.virt_base,
                               "leaves no room for the initial map (image, ramdisk, page tables, "
                               "stack) below the end of guest space: link the kernel lower");
    at->end_pfn = at->mapped_frames;
    if (!at->ramdisk_mapped)
        at->ramdisk_pfn = take(&at->end_pfn, frames_for(at->ramdisk_bytes));
    if (!own_p2m_area)
        return NULL;
    at->p2m_tables = tables_for(b->image.init_p2m, at->p2m_frames);
    at->p2m_pfn = take(&at->end_pfn, at->p2m_frames);
    at->p2m_tables_pfn = take(&at->end_pfn, at->p2m_tables);
    return check_p2m_area(b);
}

/* Frames in few large pieces, so that most of the domain is contiguous for its devices. */
static int allocate(struct builder *b)
{
    uint64_t pfn = 0;
    unsigned order = EXTENT_ORDER_MAX;

    while (pfn < b->frames) {
        struct extent *e = &b->extents[b->extent_count];
        mfn_t mfn;

        if (b->extent_count == EXTENTS_MAX)
            return -XEN_ENOMEM;
        if (1ull << order > b->frames - pfn || domain_alloc_frames(b->d, order, 64, &mfn) != 0) {
            if (order-- == 0)
                return -XEN_ENOMEM;
            continue;
        }
        *e = (struct extent){pfn, mfn, 1ull << order};
        b->extent_count++;
        m2p_set_block(mfn, pfn, e->frames);
        pfn += e->frames;
    }
    return 0;
}

/* Copy into the domain's memory, which may be in pieces; its frames came zeroed. */
static void copy_in(const struct builder *b, uint64_t at, const uint8_t *from, uint64_t bytes)
{
    while (bytes != 0) {
        uint64_t offset = at % PAGE_SIZE, n = MIN(PAGE_SIZE - offset, bytes);

        memcpy((uint8_t *)frame_at(b, at >> PAGE_SHIFT) + offset, from, n);
        at += n;
        from += n;
        bytes -= n;
    }
}

static void load_image(const struct builder *b)
{
    for (unsigned i = 0; i < b->image.segment_count; i++) {
        const struct pv_segment *s = &b->image.segments[i];

        copy_in(b, s->start, b->image.file + s->offset, s->filesz);
    }
    if (b->image.hypercall_page != PV_ADDR_UNSET)
        pv_fill_hypercall_page(
            frame_at(b, (b->image.hypercall_page - b->image.virt_base) >> PAGE_SHIFT));
}

static uint64_t *table_entry(struct builder *b, uint64_t l4_pfn, uint64_t va)
{
    uint64_t *table = frame_at(b, l4_pfn);

    for (unsigned shift = 39; shift > 12; shift -= 9) {
        uint64_t *e = &table[va >> shift & (TABLE_ENTRIES - 1)];

        if (*e == 0)
            *e = mfn_to_maddr(mfn_of_pfn(b, b->next_table_pfn++)).a | PTE_BUILT;
        table = mfn_to_ptr(pte_mfn(*e));
    }
    return &table[va >> PAGE_SHIFT & (TABLE_ENTRIES - 1)];
}

static void map_range(struct builder *b, uint64_t va, uint64_t pfn, uint64_t frames)
{
    const struct layout *at = &b->at;

    for (uint64_t i = 0; i < frames; i++, va += PAGE_SIZE) {
        uint64_t e = mfn_to_maddr(mfn_of_pfn(b, pfn + i)).a | PTE_BUILT;

        if (pfn + i - at->tables_pfn < at->tables)
            e &= ~PTE_RW; /* tables are read-only in every mapping */
        *table_entry(b, at->tables_pfn, va) = e;
    }
}

static int make_tables(struct builder *b)
{
    const struct layout *at = &b->at;
    mfn_t l4 = mfn_of_pfn(b, at->tables_pfn);
    int rc;

    b->next_table_pfn = at->tables_pfn + 1;
    map_range(b, b->image.virt_base, 0, at->mapped_frames);
    BUG_ON(b->next_table_pfn > at->tables_pfn + at->tables);
    if (at->p2m_tables != 0) {
        b->next_table_pfn = at->p2m_tables_pfn;
        map_range(b, b->image.init_p2m, at->p2m_pfn, at->p2m_frames);
    }
    do
        rc = mmu_pin(b->d, l4, PGT_L4);
    while (rc == -XEN_ERESTART);
    return rc;
}

static void fill_p2m(const struct builder *b)
{
    for (uint64_t pfn = 0; pfn < b->frames; pfn++) {
        uint64_t *list = frame_at(b, b->at.p2m_pfn + pfn / TABLE_ENTRIES);

        list[pfn % TABLE_ENTRIES] = mfn_of_pfn(b, pfn).n;
    }
}

static void fill_start_info(const struct builder *b, const struct boot_module *kernel)
{
    const struct layout *at = &b->at;
    const uint64_t base = b->image.virt_base;
    start_info_t *si = frame_at(b, at->start_info_pfn);

    str_copy(si->magic, "xen-3.0-x86_64", sizeof(si->magic));
    si->nr_pages = b->frames;
    si->shared_info = mfn_to_maddr(ptr_to_mfn(b->d->shared_info)).a;
    si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
    si->pt_base = base + (at->tables_pfn << PAGE_SHIFT);
    si->nr_pt_frames = at->tables;
    if (at->ramdisk_bytes != 0) {
        si->mod_len = at->ramdisk_bytes;
        si->mod_start = at->ramdisk_pfn;
        if (at->ramdisk_mapped)
            si->mod_start = base + (at->ramdisk_pfn << PAGE_SHIFT);
        else
            si->flags |= SIF_MOD_START_PFN;
    }
    if (at->p2m_tables != 0) {
        si->mfn_list = b->image.init_p2m;
        si->first_p2m_pfn = at->p2m_pfn;
        si->nr_p2m_frames = at->p2m_frames + at->p2m_tables;
    } else {
        si->mfn_list = base + (at->p2m_pfn << PAGE_SHIFT);
    }
    str_copy((char *)si->cmd_line, kernel->args, sizeof(si->cmd_line));
}

static int start_vcpu(struct builder *b)
{
    const struct layout *at = &b->at;
    vcpu_guest_context_t *c = &b->context;
    struct vcpu *v = b->d->vcpus[0];
    int rc;

    c->flags = VGCF_in_kernel;
    c->user_regs.rip = b->image.entry;
    c->user_regs.rsp = b->image.virt_base + ((at->stack_pfn + 1) << PAGE_SHIFT);
    c->user_regs.rsi = b->image.virt_base + (at->start_info_pfn << PAGE_SHIFT);
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->user_regs.rflags = 1u << 9;
    c->kernel_ss = FLAT_KERNEL_SS;
    c->ctrlreg[3] = xen_pfn_to_cr3(mfn_of_pfn(b, at->tables_pfn).n);
    do
        rc = pv_vcpu_set_context(v, c);
    while (rc == -XEN_ERESTART);
    if (rc != 0)
        return rc;
    v->initialised = true;
    v->vcpu_info->evtchn_upcall_mask = 1;
    return 0;
}

/* dom0_mem=, or nearly all that is free. */
static uint64_t control_frames(void)
{
    const uint64_t free = READ_ONCE(heap_free_frames);
    uint64_t frames = options.dom0_mem >> PAGE_SHIFT;

    if (frames == 0)
        frames = free - MIN(free / RESERVE_SHARE, RESERVE_MAX);
    return MAX(frames, options.dom0_mem_min >> PAGE_SHIFT);
}

static int create_domain(struct builder *b)
{
    struct domain_config cfg = {
        .domid = 0,
        .is_control = true,
        .max_vcpus = options.dom0_max_vcpus ? options.dom0_max_vcpus : MIN(cpu_count, MAX_VCPUS),
        .max_grant_frames = GRANT_FRAMES_DEFAULT,
        .max_maptrack_frames = MAPTRACK_FRAMES_DEFAULT,
        .max_evtchn_port = MAX_EVTCHNS - 1,
        .max_pages = (uint32_t)MIN(MAX(options.dom0_mem_max >> PAGE_SHIFT, b->frames), ~0u),
    };
    int rc = domain_create(&cfg, &b->d);

    for (unsigned i = 0; rc == 0 && i < cfg.max_vcpus; i++)
        rc = vcpu_create(b->d, i);
    return rc;
}

/* Its size, and whether kernel and ramdisk fit as they want: nothing is allocated here. */
static int plan(struct builder *b, const struct boot_module *kernel,
                const struct boot_module *ramdisk)
{
    const char *why = pv_image_parse(&b->image, hal_direct_map + kernel->start.a, kernel->size);

    if (why != NULL)
        return refuse(kernel, &b->image, why);
    b->frames = control_frames();
    if (b->frames > READ_ONCE(heap_free_frames)) {
        log_err("dom0_mem=%luM is more than the %luM that are free: lower it", b->frames >> 8,
                READ_ONCE(heap_free_frames) >> 8);
        return -XEN_ENOMEM;
    }
    why = lay_out(b, ramdisk);
    if (why != NULL)
        return refuse(kernel, &b->image, why);
    if (b->at.end_pfn > b->frames) {
        log_err("dom0_mem=%luM is too small: kernel '%s' and its ramdisk need %luM", b->frames >> 8,
                kernel->name, (b->at.end_pfn >> 8) + 1);
        return -XEN_ENOMEM;
    }
    return 0;
}

static int fill(struct builder *b, const struct boot_module *kernel,
                const struct boot_module *ramdisk)
{
    int rc = create_domain(b);

    if (rc == 0)
        rc = allocate(b);
    if (rc != 0) {
        log_err("memory for a control domain of %luM is too scattered: lower dom0_mem=",
                b->frames >> 8);
        return rc;
    }
    load_image(b);
    if (ramdisk != NULL)
        copy_in(b, b->at.ramdisk_pfn << PAGE_SHIFT, hal_direct_map + ramdisk->start.a,
                ramdisk->size);
    fill_p2m(b);
    fill_start_info(b, kernel);
    rc = make_tables(b);
    if (rc == 0)
        rc = start_vcpu(b);
    if (rc != 0)
        return refuse(kernel, &b->image,
                      "could not be given valid initial page tables: please report this");
    return 0;
}

int pv_build_control_domain(const struct boot_info *bi)
{
    const struct boot_module *kernel = &bi->modules[0];
    const struct boot_module *ramdisk = bi->module_count > 1 ? &bi->modules[1] : NULL;
    struct builder *b = &builder;
    int rc;

    pv_cpuid_prepare();
    *b = (struct builder){.d = NULL};
    rc = plan(b, kernel, ramdisk);
    if (rc == 0)
        rc = fill(b, kernel, ramdisk);
    if (rc != 0) {
        while (b->d != NULL && domain_kill(b->d) == -XEN_ERESTART)
            ;
        return rc;
    }
    log_info("control domain: %luM, %u vcpu(s), kernel '%s' entry %#lx", b->frames >> 8,
             b->d->max_vcpus, kernel->name, b->image.entry);
    return 0;
}
