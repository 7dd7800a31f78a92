/* SPDX-License-Identifier: MIT */
/*
 * Contract: a page is one thing at a time. While it can be written - mapped anywhere, through a
 * grant, by the hypervisor for a registered record - it becomes no table and no descriptor page;
 * while it is a table, a descriptor page or the loaded root, no call writes it, maps it writable
 * or gives it away. A table does not contain itself in a way that can be written, however the
 * entry is made.
 *
 * Invariants: MM-1, MM-7, MM-19, MM-22, MM-24, GT-1, HC-11.
 * Advisories: 148, 182, 214, 227, 240, 252, 299, 327, 401.
 * A failure means: a guest writes its own page tables, which is the whole machine.
 * Sabotage: in pte_l1_take() take the page with page_get_owned() alone, whatever PTE_RW says:
 * a page with a writable alias is pinned.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 append=guest_loglvl=none");

#define WINDOW 0x0000100000000000UL

static const unsigned pin_cmd[5] = {0, MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,
                                    MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE};

static int pin(int level, u64 mfn)
{
    return front_mmuext1(pin_cmd[level], mfn);
}

/* No level of table comes of this frame now. */
static void no_table(const char *what, u64 mfn)
{
    for (int level = 1; level <= 4; level++) {
        int rc = pin(level, mfn);

        check(rc < 0, "%s: pinned as L%d: %d", what, level, rc);
        if (rc == 0)
            front_mmuext1(MMUEXT_UNPIN_TABLE, mfn);
    }
}

static void no_descriptors(const char *what, u64 mfn)
{
    xen_pfn_t frame = mfn;

    check(hc_set_gdt(&frame, 512) < 0, "%s: holds a GDT", what);
}

static int map_grant(int ref, u64 host, u32 flags, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = host, .flags = flags, .ref = (grant_ref_t)ref, .dom = 0, .status = 99};

    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    *handle = op.handle;
    return op.status;
}

static int unmap_grant(u64 host, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = host, .handle = handle, .status = 99};

    check_eq(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

static int copy_to(u64 mfn, u64 from)
{
    struct gnttab_copy op = {
        .source = {.u.gmfn = from, .domid = DOMID_SELF},
        .dest = {.u.gmfn = mfn, .domid = DOMID_SELF, .offset = 8},
        .len = 8,
        .status = 99,
    };

    check_eq(hc_grant_table_op(GNTTABOP_copy, &op, 1), 0);
    return op.status;
}

/* A frame that must not be written: every call that could do it, and what it holds afterwards. */
static void no_writes(const char *what, const u64 *page)
{
    u64 *source = front_page_alloc(), before[3] = {page[0], page[1], page[511]};
    u64 mfn = front_va_to_mfn(page);
    struct mmuext_op op = {.cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = mfn};
    int ref = front_grant_access(0, mfn, false);
    grant_handle_t handle;
    int status;

    memset(source, 0xff, 4096);
    check(hc_update_va_mapping(WINDOW + 4096, front_pte(mfn, PTE_KERN), UVMF_INVLPG) < 0,
          "%s: mapped writable", what);
    check(hc_mmuext_op(&op, 1, 0, DOMID_SELF) < 0, "%s: cleared", what);
    op.cmd = MMUEXT_COPY_PAGE;
    op.arg2.src_mfn = front_va_to_mfn(source);
    check(hc_mmuext_op(&op, 1, 0, DOMID_SELF) < 0, "%s: copied over", what);
    check(copy_to(mfn, front_va_to_mfn(source)) < 0, "%s: written by a grant copy", what);
    status = map_grant(ref, WINDOW + 4096, GNTMAP_host_map, &handle);
    check(status < 0, "%s: granted and mapped writable: %d", what, status);
    if (!status)
        unmap_grant(WINDOW + 4096, handle);
    check(hc_xen_version(XENVER_extraversion, page) == -XEN_EFAULT, "%s: output lands there", what);
    check(page[0] == before[0] && page[1] == before[1] && page[511] == before[2],
          "%s: now holds %lx %lx %lx", what, page[0], page[1], page[511]);
    check_eq(front_grant_end(ref), 0);
    front_page_free(source);
}

static void written_pages(void)
{
    u64 *page = front_table_alloc();
    u64 mfn = front_va_to_mfn(page);
    int ref = front_grant_access(0, mfn, false);
    grant_handle_t handle;

    check_eq(front_map(WINDOW, mfn, PTE_KERN), 0);
    no_table("a page with a writable alias", mfn);
    no_descriptors("a page with a writable alias", mfn);
    check_eq(front_unmap(WINDOW), 0);
    check_eq(map_grant(ref, WINDOW, GNTMAP_host_map, &handle), GNTST_okay);
    no_table("a page mapped through a grant", mfn);
    no_descriptors("a page mapped through a grant", mfn);
    check_eq(unmap_grant(WINDOW, handle), GNTST_okay);
    check_eq(map_grant(ref, 0, GNTMAP_device_map, &handle), GNTST_okay);
    no_table("a page granted to a device", mfn);
    {
        struct gnttab_unmap_grant_ref op = {.dev_bus_addr = mfn << 12, .handle = handle};

        check_eq(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
        check_eq(op.status, GNTST_okay);
    }
    check_eq(front_grant_end(ref), 0);
    check_eq(pin(1, mfn), 0);
    check_eq(front_mmuext1(MMUEXT_UNPIN_TABLE, mfn), 0);
}

/* The hypervisor writes these itself, through no mapping of ours. */
static void hypervisor_writes(void)
{
    struct vcpu_register_vcpu_info info;
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    u64 *page = front_page_alloc();
    xen_pfn_t frame;

    info = (struct vcpu_register_vcpu_info){.mfn = front_va_to_mfn(page), .offset = 0};
    check_eq(hc_vcpu_op(VCPUOP_register_vcpu_info, 0, &info), 0);
    front_vcpu_info_moved(0, (vcpu_info_t *)page);
    check_eq(front_page_ro(page), 0);
    no_table("a vcpu's record", front_va_to_mfn(page));
    no_descriptors("a vcpu's record", front_va_to_mfn(page));
    check_eq(front_page_rw(page), 0);
    no_table("the shared page", front_si->shared_info >> 12);
    set_xen_guest_handle(setup.frame_list, &frame);
    check_eq(hc_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
    no_table("the grant table", frame);
    no_descriptors("the grant table", frame);
}

static void tables(void)
{
    char what[] = "a pinned L0";

    for (int level = 1; level <= 4; level++) {
        u64 *page = front_table_alloc();
        u64 mfn = front_va_to_mfn(page);
        struct xen_memory_reservation res = {.nr_extents = 1, .domid = DOMID_SELF};
        xen_pfn_t frame = mfn;
        u64 desc = 0x00affb000000ffffUL;

        what[sizeof(what) - 2] = (char)('0' + level);
        check_eq(pin(level, mfn), 0);
        no_writes(what, page);
        no_descriptors(what, mfn);
        check(hc_update_descriptor(mfn << 12, desc) < 0, "%s: takes a descriptor", what);
        check_eq(page[0], 0);
        /* Given back, it stays a table until it is unpinned; nobody else gets it. */
        set_xen_guest_handle(res.extent_start, &frame);
        if (hc_memory_op(XENMEM_decrease_reservation, &res) == 0)
            check_eq(front_mmuext1(MMUEXT_UNPIN_TABLE, mfn), 0);
        check(front_mmuext1(MMUEXT_UNPIN_TABLE, mfn) < 0 || front_page_rw(page) == 0,
              "%s: neither given back nor ours", what);
    }
}

static void descriptors(void)
{
    static u64 *gdt, *ldt;
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT, .arg2.nr_ents = 512};
    xen_pfn_t frame;
    u64 fault;

    gdt = front_table_alloc();
    ldt = front_table_alloc();
    frame = front_va_to_mfn(gdt);
    check_eq(hc_set_gdt(&frame, 512), 0);
    no_table("a page of the GDT", frame);
    no_writes("a page of the GDT", gdt);
    check_eq(hc_set_gdt(0, 0), 0);
    check_eq(front_page_rw(ldt), 0);
    ldt[1] = 0x00cff3000000ffffUL;
    check_eq(front_page_ro(ldt), 0);
    op.arg1.linear_addr = (u64)ldt;
    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
    fault = FAULT("mov %0, %%fs", : : "r"(8 | 4 | 3));
    check_eq(fault, FAULT_NONE);
    no_table("a page of the LDT", front_va_to_mfn(ldt));
    no_writes("a page of the LDT", ldt);
    __asm__ volatile("mov %0, %%fs" : : "r"(0));
    op.arg2.nr_ents = 0;
    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
    check_eq(front_page_rw(ldt), 0);
    check_eq(front_page_rw(gdt), 0);
}

/* Every table below a root, as an entry of itself. */
static void self_maps(void)
{
    for (int level = 4; level >= 2; level--) {
        volatile u64 *e = front_pt_entry(front_root_mfn(), WINDOW, level);
        volatile u64 *slot = (volatile u64 *)(((u64)e & ~4095UL) + 8 * 300);
        u64 self = front_va_to_mfn(e) << 12;
        int rc;

        check(front_set_entry(slot, self | PTE_TABLE) < 0, "L%d holds itself, writable", level);
        rc = front_set_entry(slot, self | (PTE_TABLE & ~PTE_RW));
        /* Read-only it may be allowed; one bit more must not be (182). */
        if (rc == 0) {
            check(level == 4 || guest_on_xen(), "L%d holds itself", level);
            check(front_set_entry(slot, self | PTE_TABLE) < 0, "L%d: its self map made writable",
                  level);
            check(front_set_pte(front_entry_maddr(slot), self | PTE_TABLE,
                                MMU_PT_UPDATE_PRESERVE_AD) < 0,
                  "L%d: its self map made writable, keeping A and D", level);
            check_eq(*slot & PTE_RW, 0);
            check_eq(front_set_entry(slot, 0), 0);
        }
        check(!(*slot & PTE_P), "L%d: %lx is left", level, *slot);
    }
}

/* Tables of one level, each naming the one before it, and the first the last. */
static void cycles(void)
{
    enum { LENGTH = 24 };
    u64 *table[LENGTH];

    for (int level = 2; level <= 4; level++) {
        unsigned linked = 0;

        for (unsigned i = 0; i < LENGTH; i++) {
            table[i] = front_table_alloc();
            check_eq(pin(level, front_va_to_mfn(table[i])), 0);
        }
        for (unsigned i = 0; i < LENGTH; i++) {
            u64 to = front_va_to_mfn(table[i ? i - 1 : LENGTH - 1]) << 12;

            check(front_set_entry(&table[i][3], to | PTE_TABLE) < 0,
                  "an L%d table in another, writable", level);
            linked += front_set_entry(&table[i][3], to | (PTE_TABLE & ~PTE_RW)) == 0;
        }
        check(linked == 0 || guest_on_xen(), "%u L%d tables name each other", linked, level);
        check(linked < LENGTH - 1, "a chain of %u L%d tables", linked, level);
        for (unsigned i = 0; i < LENGTH; i++)
            check_eq(front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(table[i])), 0);
        for (unsigned i = 0; i < LENGTH; i++) {
            check(front_page_rw(table[i]) == 0, "L%d table %u stays a table", level, i);
            front_page_free(table[i]);
        }
    }
}

/* The hypervisor's own tables, whose frames anybody can read in a root. */
static void borrowed_slots(void)
{
    volatile u64 *root = (u64 *)front_si->pt_base;

    for (unsigned s = 256; s < 272; s++) {
        u64 frame = root[s] & PTE_ADDR;

        /* Xen's slot 258 is the root itself, and that is the guest's to read. */
        if (!(root[s] & PTE_P) || frame == front_root_mfn() << 12)
            continue;
        check(front_set_entry(&root[300], root[s]) < 0, "slot %u borrowed", s);
        check(front_set_entry(&root[300], frame | PTE_TABLE) < 0, "slot %u borrowed", s);
        check(hc_update_va_mapping(WINDOW + 4096, frame | PTE_KERN, UVMF_INVLPG) < 0,
              "slot %u: its table mapped writable", s);
        check(hc_update_va_mapping(WINDOW + 4096, frame | PTE_P | PTE_U, UVMF_INVLPG) < 0,
              "slot %u: its table mapped", s);
    }
    check_eq(root[300], 0);
}

void guest_test(void)
{
    u64 *page = front_page_alloc();

    check_eq(front_grant_init(), 0);
    check_eq(front_map(WINDOW, front_va_to_mfn(page), PTE_KERN), 0); /* makes the tables */
    check_eq(front_unmap(WINDOW), 0);
    written_pages();
    hypervisor_writes();
    tables();
    descriptors();
    self_maps();
    cycles();
    borrowed_slots();
    no_writes("the loaded root", (u64 *)front_si->pt_base);
    no_descriptors("the loaded root", front_root_mfn());
}
