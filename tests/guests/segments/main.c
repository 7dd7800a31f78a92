/* SPDX-License-Identifier: MIT */
/*
 * Contract: descriptors and segment bases. set_segment_base sets the FS, user GS and kernel GS
 * bases and the user GS selector; the two GS bases change places with the mode; addresses that are
 * not canonical are -EINVAL. set_gdt takes pages of descriptors, forces them to ring 3 and holds
 * the pages read-only until replaced; update_descriptor edits one; the LDT's pages come in when a
 * descriptor is first used. Where leaf 0x80000021 says so, a null selector leaves no base.
 *
 * Invariants: MM-24, ENT-2, ENT-12, EMU-3.
 * A failure means: thread-local storage of processes or of the kernel is corrupted, or a guest
 * gains a descriptor of the hypervisor's level.
 * Sabotage: drop the present bit from DATA: the loads of its selector fault. Let
 * hal_load_gs_user_sel() return at once: the GS base outlives its selector.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define DATA 0x00cff3000000ffffUL    /* flat, ring 3, writable */
#define DATA_R0 0x00cf93000000ffffUL /* the same at ring 0: to be raised to ring 3 */
#define CODE64 0x00affb000000ffffUL
#define TSS 0x0000890000000067UL

#define MSR_FS_BASE 0xc0000100
#define MSR_KERNEL_GS_BASE 0xc0000102

static u64 words[4] = {0x1111, 0x2222, 0x3333, 0x4444};

static u64 gs0(void)
{
    u64 v;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(v));
    return v;
}

static u64 u_gs0(u64 arg)
{
    (void)arg;
    return gs0();
}

static u64 u_fs0(u64 arg)
{
    u64 v;

    (void)arg;
    __asm__ volatile("mov %%fs:0, %0" : "=r"(v));
    return v;
}

static void bases(void)
{
    static const u64 bad[] = {0x0000800000000000UL, 0x8000000000000000UL, 0xffff7fffffffffffUL};
    u64 v;

    check_eq(hc_set_segment_base(SEGBASE_FS, &words[0]), 0);
    check_eq(hc_set_segment_base(SEGBASE_GS_USER, &words[1]), 0);
    check_eq(hc_set_segment_base(SEGBASE_GS_KERNEL, &words[2]), 0);
    __asm__ volatile("mov %%fs:0, %0" : "=r"(v));
    check_eq(v, 0x1111);
    check_eq(gs0(), 0x3333);
    check_eq(front_user_run(u_fs0, 0).value, 0x1111);
    check_eq(front_user_run(u_gs0, 0).value, 0x2222);
    check_eq(gs0(), 0x3333);
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(bad); i++) {
        for (unsigned which = SEGBASE_FS; which <= SEGBASE_GS_KERNEL; which++)
            check(hc_set_segment_base(which, bad[i]) == -XEN_EINVAL, "base %u = %lx", which,
                  bad[i]);
    }
    check_eq(hc_set_segment_base(99, 0), -XEN_EINVAL);
    check_eq(gs0(), 0x3333);
}

static void user_selector(void)
{
    u16 sel;

    /* A selector that cannot be loaded becomes null; the kernel's own base survives. */
    check_eq(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0xfff3), 0);
    check_eq(gs0(), 0x3333);
    check_eq(hc_set_segment_base(SEGBASE_GS_USER_SEL, FLAT_USER_DS32), 0);
    check_eq(gs0(), 0x3333);
    __asm__ volatile("mov %%gs, %w0" : "=r"(sel));
    check(sel == 0 || sel == FLAT_USER_DS32, "gs %x", sel);
    check_eq(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    check_eq(gs0(), 0x3333);
}

static u64 base_of(u32 msr)
{
    u64 base = 0;

    check_eq(guest_read_msr(msr, &base), FAULT_NONE);
    return base;
}

/* What a leaf promises: a kernel that reads it no longer clears the bases that it leaves behind. */
static void null_selector(void)
{
    const bool said = front_cpuid(0x80000000, 0).eax >= 0x80000021 &&
                      front_cpuid(0x80000021, 0).eax & 1u << 6;
    const u64 mine = (u64)&words[1];

    check_eq(hc_set_segment_base(SEGBASE_GS_USER, mine), 0);
    check_eq(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    check(!said || base_of(MSR_KERNEL_GS_BASE) == 0, "the GS base outlives its selector");
    check_eq(hc_set_segment_base(SEGBASE_FS, mine), 0);
    __asm__ volatile("mov %w0, %%fs" : : "r"(0));
    check(!said || base_of(MSR_FS_BASE) == 0, "the FS base outlives its selector");
}

static u64 load(u16 sel)
{
    return FAULT("mov %w0, %%es", : : "r"(sel));
}

static u32 access_rights(u16 sel)
{
    u32 ar = 0;

    __asm__ volatile("larl %1, %0" : "+r"(ar) : "r"((u32)sel));
    return ar;
}

static int update(const u64 *slot, u64 desc)
{
    return (int)hc_update_descriptor(front_va_to_mfn(slot) << 12 | ((u64)slot & 4095), desc);
}

static void gdt(void)
{
    u64 *table = front_page_alloc(), *second = front_page_alloc();
    xen_pfn_t frame = front_va_to_mfn(table);

    table[1] = DATA;
    table[2] = DATA_R0;
    table[3] = CODE64;
    table[4] = DATA & ~(1UL << 47); /* not present */
    check(hc_set_gdt(&frame, 512) < 0, "a GDT page that is mapped writable");
    check_eq(front_page_ro(table), 0);
    check_eq(hc_set_gdt(&frame, 512), 0);
    check_eq(load(0x0b), FAULT_NONE);
    check_eq(load(0x13), FAULT_NONE);
    check_eq(access_rights(0x13) >> 13 & 3, 3); /* raised to ring 3 */
    check_eq(load(0x23), NP(0x20));
    check_eq(FAULT("mov %w0, %%ss", : : "r"((u16)0x23)), SS(0x20));
    check_eq(load(0x2b), GP(0x28));             /* null descriptor */
    check_eq(load(0x1003), GP(0x1000));         /* beyond the guest's part */
    check_eq(load(FLAT_USER_DS32), FAULT_NONE); /* the reserved selectors stay */
    check_eq(load(0), FAULT_NONE);
    check(front_page_rw(table) < 0, "a GDT page in use became writable");
    check_eq(front_try_write(table, 0), PF(3));
    /* One descriptor at a time. */
    check_eq(update(&table[6], DATA), 0);
    check_eq(load(0x33), FAULT_NONE);
    check_eq(update(&table[6], 0), 0);
    check_eq(load(0), FAULT_NONE);
    check_eq(load(0x33), GP(0x30));
    check(update(&table[7], TSS) < 0, "a TSS");
    check(update(&table[7], TSS + (6UL << 40)) < 0, "an interrupt gate");
    check_eq(table[7], 0);
    check(update((u64 *)front_si->pt_base, DATA) < 0, "a descriptor in a page table");
    check_eq(hc_update_descriptor(1UL << 51, DATA), -XEN_EINVAL);
    /* Replaced: the first page is the guest's again. */
    frame = front_va_to_mfn(second);
    check_eq(front_page_ro(second), 0);
    check_eq(hc_set_gdt(&frame, 16), 0);
    check_eq(front_page_rw(table), 0);
    check_eq(front_try_write(table, 0), FAULT_NONE);
    check_eq(load(0x0b), GP(0x08));
    frame = 1UL << 39;
    check(hc_set_gdt(&frame, 16) < 0, "a GDT frame beyond the machine");
    check_eq(hc_set_gdt(&frame, 8192), -XEN_EINVAL);
    check_eq(hc_set_gdt(0x8000000000000000UL, 512), -XEN_EFAULT);
    check_eq(hc_set_gdt(0, 0), 0);
}

static void bad_gdt(void)
{
    static const u64 bad[] = {TSS, TSS + (6UL << 40)};
    u64 *table = front_page_alloc();
    xen_pfn_t frame = front_va_to_mfn(table);

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(bad); i++) {
        front_page_rw(table);
        table[511] = bad[i];
        front_page_ro(table);
        check(hc_set_gdt(&frame, 512) < 0, "a GDT with %lx in it", bad[i]);
    }
    check_eq(front_page_rw(table), 0);
    table[511] = DATA;
    front_page_ro(table);
    check_eq(hc_set_gdt(&frame, 512), 0);
    check_eq(load(0xffb), FAULT_NONE);
    check_eq(load(0), FAULT_NONE);
    check_eq(hc_set_gdt(0, 0), 0);
}

static void ldt(void)
{
    u64 *table = front_page_alloc();

    table[0] = DATA;
    table[5] = DATA_R0;
    check_eq(load(0x07), GP(0x04)); /* no LDT */
    check_eq(front_page_ro(table), 0);
    check_eq(front_mmuext_va(MMUEXT_SET_LDT, (u64)table, 512), 0);
    check_eq(load(0x07), FAULT_NONE);
    check_eq(load(0x2f), FAULT_NONE);
    check_eq(load(0x0f), GP(0x0c));
    check_eq(load(0), FAULT_NONE);
    check(front_page_rw(table) < 0, "an LDT page in use became writable");
    check_eq(update(&table[1], DATA), 0);
    check_eq(load(0x0f), FAULT_NONE);
    check_eq(load(0), FAULT_NONE);
    check_eq(front_mmuext_va(MMUEXT_SET_LDT, 0, 0), 0);
    check_eq(front_mmuext_va(MMUEXT_SET_LDT, HYPERVISOR_VIRT_START + 1, 0), 0); /* none, anywhere */
    check_eq(load(0x07), GP(0x04));
    check_eq(front_page_rw(table), 0);
    check(front_mmuext_va(MMUEXT_SET_LDT, (u64)table + 8, 1) < 0, "an LDT that is not aligned");
    check(front_mmuext_va(MMUEXT_SET_LDT, (u64)table, 8193) < 0, "8193 entries");
    check(front_mmuext_va(MMUEXT_SET_LDT, HYPERVISOR_VIRT_START, 1) < 0, "the hypervisor's range");
}

void guest_test(void)
{
    check_eq(front_user_root_init(), 0);
    bases();
    user_selector();
    null_selector();
    gdt();
    bad_gdt();
    ldt();
}
