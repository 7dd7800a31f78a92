/* SPDX-License-Identifier: MIT */
/*
 * The domain builder: see build.h. layout.c decides where things go, this file puts them there.
 *
 * Guest memory is written through foreign mappings of CHUNK_PAGES at most, file contents are read
 * straight into them. No mapping of a page table is left when the tables are pinned: a frame
 * cannot be a page table and writable at the same time.
 */
#include "build.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xen/grant_table.h>

enum {
    CHUNK_PAGES = 2048,
    APART_PAGES = 1024, /* from here on a process of its own pays */
    BLOCK_ORDER = 9,    /* memory is asked for in blocks while there are any */
    FLAT_CS64 = 0xe033,
    FLAT_SS = 0xe02b,
    RFLAGS_IF = 0x200,
    MAX_MEM_SLACK_KIB = 1024, /* as xl: room for a page or two that a balloon driver trades */
};

#define RAMDISK_MAX (1ull << 30)

_Static_assert(LAYOUT_BLOCK_PAGES == 1 << BLOCK_ORDER, "blocks of 2 MiB");

struct build {
    struct hv *hv;
    const struct build_plan *plan;
    const struct layout *l;
    struct built *out;
    struct layout_frames frames;
    bool leave_mapped;
    bool zeroed;      /* the hypervisor gives memory that holds zeros ... */
    uint64_t written; /* ... and it does so from here on */
    struct diag *d;
};

int build_plan_open(const struct guest_config *cfg, struct build_plan *plan, struct diag *d)
{
    struct diag inner = {0};

    *plan = (struct build_plan){.cfg = cfg, .image.fd = -1, .ramdisk_fd = -1};
    if (image_open(cfg->kernel, &plan->image, &inner) != 0)
        return diag_set(d, "%s:%u: %s", cfg->path, cfg->kernel_line, inner.text);
    if (cfg->ramdisk && *cfg->ramdisk) {
        plan->ramdisk_fd =
            image_open_file("ramdisk", cfg->ramdisk, RAMDISK_MAX, &plan->ramdisk_bytes, &inner);
        if (plan->ramdisk_fd < 0) {
            diag_set(d, "%s:%u: %s", cfg->path, cfg->ramdisk_line, inner.text);
            goto bad;
        }
    }
    if (layout_compute(cfg->kernel, &plan->image.elf, cfg->memory_mib << 8, plan->ramdisk_bytes,
                       &plan->layout, &inner) != 0) {
        diag_set(d, "%s:%u: %s", cfg->path, cfg->memory_line ? cfg->memory_line : cfg->kernel_line,
                 inner.text);
        goto bad;
    }
    return 0;
bad:
    build_plan_close(plan);
    return -1;
}

void build_plan_close(struct build_plan *plan)
{
    image_close(&plan->image);
    if (plan->ramdisk_fd >= 0)
        close(plan->ramdisk_fd);
    plan->ramdisk_fd = -1;
}

static uint64_t mfn(const struct build *b, uint64_t pfn)
{
    return layout_mfn(&b->frames, pfn);
}

/* Guest frames [pfn, pfn + count), contiguous in our address space. */
static void *map_frames(struct build *b, uint64_t pfn, uint64_t count)
{
    xen_pfn_t *mfns = malloc(count * sizeof(*mfns));
    void *at = NULL;

    for (uint64_t i = 0; mfns && i < count; i++)
        mfns[i] = mfn(b, pfn + i);
    if (mfns)
        at = xenforeignmemory_map(hv_memory(b->hv), b->out->domid, PROT_READ | PROT_WRITE, count,
                                  mfns, NULL);
    if (!at)
        diag_errno(b->d, "cannot map memory of the new domain");
    free(mfns);
    return at;
}

static void unmap_frames(struct build *b, void *at, uint64_t count)
{
    if (b->leave_mapped)
        return;
    xenforeignmemory_unmap(hv_memory(b->hv), at, count);
}

/* Those that came in no block. */
static int populate_rest(struct build *b)
{
    const uint64_t in_blocks = b->frames.nr_blocks * LAYOUT_BLOCK_PAGES;
    const uint64_t pages = b->l->nr_pages - in_blocks;

    b->frames.singles = calloc(pages + 1, sizeof(*b->frames.singles));
    if (!b->frames.singles)
        return diag_set(b->d, "out of memory");
    long got = pages ? hv_populate(b->hv, b->out->domid, in_blocks, pages, 0, b->frames.singles)
                     : 0;
    if (got == (long)pages)
        return 0;
    return diag_set(b->d, "the hypervisor gave %llu of %llu MiB; %s",
                    (unsigned long long)(in_blocks + (got > 0 ? (uint64_t)got : 0)) >> 8,
                    (unsigned long long)b->l->nr_pages >> 8,
                    got < 0 ? strerror((int)-got) : "its memory is used up: lower memory=");
}

static int populate(struct build *b)
{
    uint64_t blocks = b->l->nr_pages / LAYOUT_BLOCK_PAGES;

    b->frames.blocks = calloc(blocks + 1, sizeof(*b->frames.blocks));
    if (!b->frames.blocks)
        return diag_set(b->d, "out of memory");
    long got = blocks ? hv_populate(b->hv, b->out->domid, 0, blocks, BLOCK_ORDER, b->frames.blocks)
                      : 0;

    b->frames.nr_blocks = got > 0 ? (uint64_t)got : 0; /* if there are none: small ones tell */
    return populate_rest(b);
}

/*
 * Copies len bytes of a file to guest-physical address phys; up to memsz there are zeros then. They
 * are there already where nothing was written.
 */
static int load(struct build *b, int fd, uint64_t offset, uint64_t phys, uint64_t len,
                uint64_t memsz)
{
    const uint64_t file_end = phys + len;
    const uint64_t end = b->zeroed && file_end >= b->written ? file_end : phys + memsz;

    b->written = file_end > b->written ? file_end : b->written;
    while (phys < end) {
        uint64_t pfn = phys / PAGE_BYTES, in_page = phys % PAGE_BYTES;
        uint64_t last = (end - 1) / PAGE_BYTES;
        uint64_t count = last - pfn + 1 < CHUNK_PAGES ? last - pfn + 1 : CHUNK_PAGES;
        uint64_t stop = (pfn + count) * PAGE_BYTES < end ? (pfn + count) * PAGE_BYTES : end;
        uint64_t copy = file_end > phys ? (file_end < stop ? file_end : stop) - phys : 0;
        uint8_t *at = map_frames(b, pfn, count);
        int rc = 0;

        if (!at)
            return -1;
        if (copy && image_read(fd, offset, at + in_page, copy) != 0)
            rc = diag_set(b->d, "%s: reading failed while loading it",
                          fd == b->plan->ramdisk_fd ? b->plan->cfg->ramdisk : b->plan->cfg->kernel);
        memset(at + in_page + copy, 0, stop - phys - copy);
        unmap_frames(b, at, count);
        if (rc != 0)
            return rc;
        offset += copy;
        phys = stop;
    }
    return 0;
}

static int load_files(struct build *b)
{
    const struct build_plan *plan = b->plan;

    for (unsigned i = 0; i < plan->image.elf.nr_segments; i++) {
        const struct elf_segment *seg = &plan->image.elf.segments[i];

        if (load(b, plan->image.fd, seg->offset, seg->phys, seg->filesz, seg->memsz) != 0)
            return -1;
    }
    if (plan->ramdisk_fd >= 0)
        return load(b, plan->ramdisk_fd, 0, b->l->ramdisk_pfn * PAGE_BYTES, plan->ramdisk_bytes,
                    b->l->ramdisk_pages * PAGE_BYTES);
    return 0;
}

static uint64_t file_pages(const struct build_plan *plan)
{
    uint64_t bytes = plan->ramdisk_fd >= 0 ? plan->ramdisk_bytes : 0;

    for (unsigned i = 0; i < plan->image.elf.nr_segments; i++)
        bytes += plan->image.elf.segments[i].filesz;
    return bytes / PAGE_BYTES;
}

static void __attribute__((noreturn)) loader(struct build *b, int verdict)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    b->leave_mapped = true;
    b->d->text[0] = 0;
    int rc = load_files(b);
    if (rc != 0 && write(verdict, b->d->text, strlen(b->d->text)) < 0)
        _exit(2);
    _exit(rc == 0 ? 0 : 1);
}

/*
 * The same by a child, which ends with all of it mapped. To unmap a page in a PV domain is a store
 * to a page table that the hypervisor emulates; a process that ends gives its tables back whole,
 * for a tenth of that.
 */
static int load_files_apart(struct build *b)
{
    int ends[2], status = -1;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return diag_errno(b->d, "no pipe");
    pid_t pid = fork();
    if (pid == 0)
        loader(b, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return diag_errno(b->d, "cannot fork to load the files");
    }
    ssize_t n = read(ends[0], b->d->text, sizeof(b->d->text) - 1);
    b->d->text[n > 0 ? n : 0] = 0;
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status == 0)
        return 0;
    return b->d->text[0] ? -1 : diag_set(b->d, "the process that loads the files died");
}

static uint64_t va_of(const struct layout *l, uint64_t pfn)
{
    return l->virt_base + pfn * PAGE_BYTES;
}

static void fill_start_info(struct build *b, uint64_t shared_info_mfn, struct start_info *si)
{
    const struct layout *l = b->l;

    snprintf(si->magic, sizeof(si->magic), "xen-3.0-x86_64");
    si->nr_pages = l->nr_pages;
    si->shared_info = shared_info_mfn << 12;
    si->flags = SIF_VIRT_P2M_4TOOLS;
    si->store_mfn = b->out->store_mfn;
    si->store_evtchn = b->out->store_port;
    si->console.domU.mfn = b->out->console_mfn;
    si->console.domU.evtchn = b->out->console_port;
    si->pt_base = va_of(l, l->pt_pfn);
    si->nr_pt_frames = l->nr_pt;
    si->mfn_list = l->p2m_va;
    if (b->plan->ramdisk_fd >= 0) {
        si->mod_start = l->ramdisk_apart ? l->ramdisk_pfn : va_of(l, l->ramdisk_pfn);
        si->mod_len = b->plan->ramdisk_bytes;
        si->flags |= l->ramdisk_apart ? SIF_MOD_START_PFN : 0;
    }
    snprintf((char *)si->cmd_line, sizeof(si->cmd_line), "%s", b->plan->cfg->cmdline);
    if (l->p2m_apart) {
        si->first_p2m_pfn = l->p2m_pfn;
        si->nr_p2m_frames = l->p2m_data_pages + l->p2m_table_pages;
    }
}

static int load_all(struct build *b)
{
    return file_pages(b->plan) < APART_PAGES ? load_files(b) : load_files_apart(b);
}

/* start_info, store and console rings, page tables, stack, and the P2M list. */
static int fill_tables(struct build *b, uint64_t shared_info_mfn)
{
    const struct layout *l = b->l;
    uint64_t first = l->start_info_pfn, count = l->stack_pfn + 1 - first;
    uint64_t p2m_count = l->p2m_data_pages + l->p2m_table_pages;
    uint8_t *area = map_frames(b, first, count);
    uint8_t *list = area ? map_frames(b, l->p2m_pfn, p2m_count) : NULL;
    int rc = -1;

    if (list) {
        memset(area, 0, count * PAGE_BYTES);
        memset(list + l->p2m_data_pages * PAGE_BYTES, 0, l->p2m_table_pages * PAGE_BYTES);
        layout_fill_p2m(l, &b->frames, (uint64_t *)list);
        fill_start_info(b, shared_info_mfn, (struct start_info *)area);
        rc = layout_fill_tables(l, (uint64_t *)list,
                                (uint64_t *)(area + (l->pt_pfn - first) * PAGE_BYTES),
                                (uint64_t *)(list + l->p2m_data_pages * PAGE_BYTES), b->d);
        unmap_frames(b, list, p2m_count);
    }
    if (area)
        unmap_frames(b, area, count);
    return rc;
}

/* Linux asserts that upcalls are masked when it starts. */
static int mask_upcalls(struct build *b, uint64_t shared_info_mfn)
{
    xen_pfn_t mfn = shared_info_mfn;
    struct shared_info *si = xenforeignmemory_map(hv_memory(b->hv), b->out->domid,
                                                  PROT_READ | PROT_WRITE, 1, &mfn, NULL);

    if (!si)
        return diag_errno(b->d, "cannot map the shared info page of the new domain");
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        si->vcpu_info[i].evtchn_upcall_mask = 1;
    unmap_frames(b, si, 1);
    return 0;
}

/* The two reserved grants that let store and console daemons map their rings. */
static int seed_grants(struct build *b)
{
    void *at = NULL;
    xenforeignmemory_resource_handle *res = xenforeignmemory_map_resource(
        hv_memory(b->hv), (domid_t)b->out->domid, XENMEM_resource_grant_table,
        XENMEM_resource_grant_table_id_shared, 0, 1, &at, PROT_READ | PROT_WRITE, 0);

    if (!res)
        return diag_errno(b->d, "cannot map the grant table of the new domain");
    grant_entry_v1_t *table = at;
    table[GNTTAB_RESERVED_CONSOLE].frame = (uint32_t)b->out->console_mfn;
    table[GNTTAB_RESERVED_XENSTORE].frame = (uint32_t)b->out->store_mfn;
    __sync_synchronize();
    table[GNTTAB_RESERVED_CONSOLE].flags = GTF_permit_access;
    table[GNTTAB_RESERVED_XENSTORE].flags = GTF_permit_access;
    xenforeignmemory_unmap_resource(hv_memory(b->hv), res);
    return 0;
}

static int start_vcpu(struct build *b)
{
    const struct layout *l = b->l;
    struct vcpu_guest_context *c = calloc(1, sizeof(*c));

    if (!c)
        return diag_set(b->d, "out of memory");
    c->flags = VGCF_in_kernel | VGCF_online;
    c->user_regs.rip = b->plan->image.elf.entry;
    c->user_regs.rsp = va_of(l, l->stack_pfn + 1);
    c->user_regs.rsi = va_of(l, l->start_info_pfn);
    c->user_regs.rflags = RFLAGS_IF;
    c->user_regs.cs = FLAT_CS64;
    c->user_regs.ss = FLAT_SS;
    c->kernel_ss = FLAT_SS;
    c->kernel_sp = c->user_regs.rsp;
    c->ctrlreg[3] = mfn(b, l->pt_pfn) << 12;
    int rc = hv_set_context(b->hv, b->out->domid, 0, c);
    free(c);
    if (rc != 0)
        return diag_set(b->d, "the hypervisor refuses the first vCPU's state: %s", strerror(-rc));
    return 0;
}

static int prepare_hypercall_page(struct build *b)
{
    const struct elf_image *elf = &b->plan->image.elf;

    if (elf->hypercall_page == ELF_UNSET)
        return 0;
    uint64_t pfn = (elf->hypercall_page - elf->virt_base) / PAGE_BYTES;
    int rc = hv_hypercall_page(b->hv, b->out->domid, mfn(b, pfn));
    return rc ? diag_set(b->d, "cannot write the hypercall page: %s", strerror(-rc)) : 0;
}

static int set_limits(struct build *b)
{
    static const uint32_t tsc_mode[] = {
        [TSC_DEFAULT] = 0, [TSC_ALWAYS_EMULATE] = 1, [TSC_NATIVE] = 2};
    const struct guest_config *cfg = b->plan->cfg;
    uint32_t domid = b->out->domid;
    int rc = hv_max_mem(b->hv, domid, (cfg->maxmem_mib << 10) + MAX_MEM_SLACK_KIB);

    if (rc != 0)
        return diag_set(b->d, "cannot set the memory limit: %s", strerror(-rc));
    if (cfg->tsc != TSC_DEFAULT) {
        rc = hv_set_tsc_mode(b->hv, domid, tsc_mode[cfg->tsc]);
        if (rc != 0)
            return diag_set(b->d, "this hypervisor does not do tsc_mode=\"%s\": %s",
                            config_tsc_name(cfg->tsc), strerror(-rc));
    }
    rc = hv_memory_map(b->hv, domid, cfg->maxmem_mib << 20);
    if (rc != 0)
        return diag_set(b->d, "cannot set the memory map: %s", strerror(-rc));
    return 0;
}

static int alloc_ports(struct build *b)
{
    int store = hv_alloc_unbound(b->hv, b->out->domid);
    int console = store < 0 ? store : hv_alloc_unbound(b->hv, b->out->domid);

    if (console < 0)
        return diag_set(b->d, "no event channels for store and console: %s", strerror(-console));
    b->out->store_port = (uint32_t)store;
    b->out->console_port = (uint32_t)console;
    return 0;
}

static int build_steps(struct build *b)
{
    struct xen_domctl_getdomaininfo info;

    if (set_limits(b) != 0 || populate(b) != 0 || alloc_ports(b) != 0)
        return -1;
    b->out->store_mfn = mfn(b, b->l->store_pfn);
    b->out->console_mfn = mfn(b, b->l->console_pfn);
    int rc = hv_info(b->hv, b->out->domid, &info);
    if (rc != 0)
        return diag_set(b->d, "the new domain is gone: %s", strerror(-rc));
    if (mask_upcalls(b, info.shared_info_frame) != 0 || load_all(b) != 0 ||
        fill_tables(b, info.shared_info_frame) != 0 || prepare_hypercall_page(b) != 0 ||
        seed_grants(b) != 0)
        return -1;
    rc = hv_pin_l4(b->hv, b->out->domid, mfn(b, b->l->pt_pfn));
    if (rc != 0)
        return diag_set(b->d, "the hypervisor refuses the first page tables: %s", strerror(-rc));
    return start_vcpu(b);
}

/* Its place and share among the others, before it runs. */
static int give_cpus(struct build *b)
{
    const struct guest_config *cfg = b->plan->cfg;
    struct hv_share share;
    int rc = 0;

    for (unsigned i = 0; i < cfg->maxvcpus && rc == 0; i++)
        if (cfg->cpus[i] != ~0ull)
            rc = hv_set_affinity(b->hv, b->out->domid, i, cfg->cpus[i], 0);
    if (rc != 0)
        return diag_set(b->d, "the hypervisor refuses cpus=: %s", hv_why_no_cpu(rc));
    if (!cfg->cpu_weight && !cfg->cap)
        return 0;
    rc = hv_get_share(b->hv, b->out->domid, &share);
    if (rc == 0) {
        share.weight = cfg->cpu_weight ? cfg->cpu_weight : share.weight;
        share.cap = cfg->cap;
        rc = hv_set_share(b->hv, b->out->domid, &share);
    }
    return rc == 0
               ? 0
               : diag_set(b->d, "the hypervisor refuses cpu_weight= or cap=: %s", strerror(-rc));
}

int build_domain(struct hv *hv, const struct build_plan *plan, const uint8_t uuid[16],
                 struct built *out, struct diag *d)
{
    struct hv_new_domain want = {.max_vcpus = plan->cfg->maxvcpus,
                                 .maptrack_frames = plan->cfg->maptrack_frames};
    struct build b = {.hv = hv, .plan = plan, .l = &plan->layout, .out = out, .d = d};

    memset(out, 0, sizeof(*out));
    b.zeroed = hv_memory_is_zeroed(hv);
    memcpy(want.uuid, uuid, sizeof(want.uuid));

    int rc = hv_create(hv, &want, &out->domid);
    if (rc != 0) {
        diag_set(d, "the hypervisor creates no domain: %s", strerror(-rc));
    } else {
        rc = give_cpus(&b) != 0 ? -1 : build_steps(&b);
        if (rc != 0 && hv_destroy(hv, out->domid) != 0)
            diag_set(d, "domain %u, half built, cannot be destroyed", out->domid);
    }
    free(b.frames.blocks);
    free(b.frames.singles);
    return rc != 0 ? -1 : 0;
}
