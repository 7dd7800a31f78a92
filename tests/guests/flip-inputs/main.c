/* SPDX-License-Identifier: MIT */
/*
 * Contract: what a call is checked with is what it acts on. While one vCPU makes hypercalls, the
 * other rewrites their arguments in memory from something harmless to something forbidden and back,
 * as fast as it can: page-table updates, grant entries, copies, lists, trap tables, the frame of an
 * iret. Each call does the harmless thing or fails.
 *
 * Invariants: HC-2, GT-10, ENT-9, ENT-3, HC-4, MM-17.
 * Advisories: 136, 155, 202, 295, 500.
 * A failure means: a check that a second vCPU can slip past; the machine.
 * Sabotage: give pv_grant_map() the frame that the shared entry now names instead of the pinned one
 * (map_host() in core/grant_map.c): its books no longer balance, and it panics.
 */
#include "guest.h"

GUEST_RUN("vcpus=2 append=guest_loglvl=none");

#define WINDOW 0x0000100000000000UL
#define STAGE_NS 250000000UL

/* Words that change places, each between two values. */
static struct {
    volatile u64 *word;
    u64 good, bad;
} flips[4];
static volatile u64 nr_flips, stop, ended, rounds;
static u64 slot, *page, *table, hv_slot;
static volatile u64 *root;

static void flipper(void)
{
    while (!stop) {
        for (u64 i = 0; i < nr_flips; i++) {
            *flips[i].word = flips[i].bad;
            __asm__ volatile("pause");
            *flips[i].word = flips[i].good;
        }
        rounds++;
    }
    ended = 1;
    for (;;)
        hc_vcpu_op(VCPUOP_down, 1, 0);
}

static void flip(unsigned n, volatile void *word, u64 good, u64 bad)
{
    flips[n].word = word;
    flips[n].good = good;
    flips[n].bad = bad;
    nr_flips = n + 1;
}

static void settle(void)
{
    u64 was = rounds;

    nr_flips = 0;
    check(front_wait(&rounds, was + 2, 1000000000UL), "the second vCPU does not get on");
}

static void unharmed(const char *what)
{
    u64 e = *front_pt_entry(front_root_mfn(), WINDOW, 1);

    check(!(e & PTE_P) || !(e & PTE_RW) || (e & PTE_ADDR) != front_va_to_mfn(table) << 12,
          "%s: a table is mapped writable: %lx", what, e);
    check(root[256] == hv_slot, "%s: the hypervisor's slot is %lx", what, root[256]);
}

#define FOR_A_WHILE                                                                                \
    for (u64 end = front_time_ns() + STAGE_NS; front_time_ns() < end;)                             \
        for (unsigned turn = 0; turn < 50; turn++)

static void updates(void)
{
    static mmu_update_t req;
    u64 good = front_pte(front_va_to_mfn(page), PTE_KERN), done = 0;

    req.ptr = slot;
    req.val = good;
    flip(0, &req.val, good, front_pte(front_va_to_mfn(table), PTE_KERN));
    flip(1, &req.ptr, slot, front_entry_maddr(&root[256]));
    FOR_A_WHILE
    {
        done += hc_mmu_update(&req, 1, 0, DOMID_SELF) == 0;
        unharmed("mmu_update");
    }
    settle();
    check(done > 0, "%lu updates were done", done);
}

static void grants(void)
{
    int ref = front_grant_access(0, front_va_to_mfn(page), false);
    grant_entry_v1_t *e = front_grant_entry(ref);
    u64 good = *(u64 *)e, bad = (u64)(u32)good | front_va_to_mfn(table) << 32, mapped = 0;

    flip(0, e, good, bad);
    flip(1, e, good, bad & ~(u64)GTF_type_mask);
    FOR_A_WHILE
    {
        struct gnttab_map_grant_ref m = {
            .host_addr = WINDOW, .flags = GNTMAP_host_map, .ref = (grant_ref_t)ref};
        struct gnttab_unmap_grant_ref u = {.host_addr = WINDOW};
        struct gnttab_copy c = {.source = {.u.gmfn = front_va_to_mfn(page), .domid = DOMID_SELF},
                                .dest = {.u.ref = (grant_ref_t)ref, .domid = 0},
                                .len = 4096,
                                .flags = GNTCOPY_dest_gref};

        hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1);
        unharmed("map");
        if (!m.status) {
            mapped++;
            u.handle = m.handle;
            check_eq(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
            check(u.status == GNTST_okay, "unmap: %d", u.status);
        }
        hc_grant_table_op(GNTTABOP_copy, &c, 1);
        if (table[0] | table[511])
            break;
    }
    settle();
    check(!(table[0] | table[511]), "a table was copied over: %lx %lx", table[0], table[511]);
    check(mapped > 0, "%lu maps were done", mapped);
    *(volatile u64 *)e = good & ~(u64)(GTF_reading | GTF_writing);
    check_eq(front_grant_end(ref), 0);
}

static void lists(void)
{
    static multicall_entry_t list[2];
    static mmu_update_t bad;

    bad.ptr = front_entry_maddr(&root[256]);
    list[0].op = list[1].op = __HYPERVISOR_xen_version;
    list[1].args[0] = (unsigned long)&bad;
    list[1].args[1] = 1;
    list[1].args[3] = DOMID_SELF;
    flip(0, &list[1].op, __HYPERVISOR_xen_version, __HYPERVISOR_mmu_update);
    flip(1, &list[0].op, __HYPERVISOR_xen_version, __HYPERVISOR_multicall);
    flip(2, &list[1].args[0], (u64)&bad, HYPERVISOR_VIRT_START);
    FOR_A_WHILE
    {
        hc_multicall(list, 2);
        unharmed("multicall");
    }
    settle();
}

static void trap_tables(void)
{
    static struct trap_info t[3];

    t[0] = (struct trap_info){.vector = 200, .cs = FLAT_KERNEL_CS, .address = front_trap_stub(200)};
    t[1] = t[0];
    flip(0, &t[0].address, front_trap_stub(200), 0x0000800000000000UL);
    flip(1, &t[1].address, front_trap_stub(200), HYPERVISOR_VIRT_START);
    FOR_A_WHILE
    {
        hc_set_trap_table(t);
    }
    settle();
    check_eq(FAULT("ud2", :), UD());
}

/* The frame that iret reads: rax r11 rcx flags rip cs rflags rsp ss. */
static u64 frame[9] __attribute__((aligned(16)));
static u8 user_stack[4096] FRONT_PAGE_ALIGNED;
static u64 resume_at __attribute__((used)), resume_sp __attribute__((used));
static volatile u64 user_flags, went;

static bool back_from_user(struct front_regs *regs)
{
    if (!resume_at)
        return false;
    if (regs->vector == FRONT_VEC_SYSCALL) {
        went++;
        user_flags = regs->rdi;
    }
    regs->rip = resume_at;
    regs->cs = FLAT_KERNEL_CS & ~3u;
    regs->ss = FLAT_KERNEL_SS;
    regs->rsp = resume_sp;
    regs->rflags = 0x202;
    resume_at = 0;
    return true;
}

void flip_user(void);
__asm__(".text\n"
        ".globl flip_user\n"
        "flip_user: pushfq\n pop %rdi\n syscall\n ud2\n");

static void go(void)
{
    __asm__ volatile("push %%rbx\n push %%rbp\n"
                     "lea 1f(%%rip), %%rax\n"
                     "mov %%rax, resume_at(%%rip)\n"
                     "mov %%rsp, resume_sp(%%rip)\n"
                     "mov %0, %%rsp\n"
                     "mov $23, %%eax\n" /* iret */
                     "syscall\n"
                     "1: pop %%rbp\n pop %%rbx\n"
                     :
                     : "r"(frame)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "r15", "memory", "cc");
}

static void returns(void)
{
    u64 tries = 0;

    for (unsigned v = 0; v < 32; v++)
        front_trap_set(v, back_from_user);
    front_trap_set(FRONT_VEC_FAILSAFE, back_from_user);
    front_trap_set(FRONT_VEC_SYSCALL, back_from_user);
    check_eq(front_user_root_init(), 0);
    frame[4] = (u64)flip_user;
    frame[5] = FLAT_USER_CS;
    frame[6] = 0x202;
    frame[7] = (u64)user_stack + sizeof(user_stack);
    frame[8] = FLAT_USER_SS;
    flip(0, &frame[5], FLAT_USER_CS, 0xe00b);
    flip(1, &frame[6], 0x202, 0x23002);
    flip(2, &frame[8], FLAT_USER_SS, 0xe013);
    flip(3, &frame[4], (u64)flip_user, 0x0000800000000000UL);
    FOR_A_WHILE
    {
        user_flags = 0x202;
        go();
        tries++;
        check((user_flags & 0x23200) == 0x200, "user mode with flags %lx", user_flags);
    }
    settle();
    check(went > 0, "%lu of %lu returns worked", went, tries);
}

void guest_test(void)
{
    page = front_page_alloc();
    table = front_table_alloc();
    root = (u64 *)front_si->pt_base;
    hv_slot = root[256];
    check_eq(front_grant_init(), 0);
    check_eq(front_map(WINDOW, front_va_to_mfn(page), PTE_KERN), 0);
    check_eq(front_unmap(WINDOW), 0);
    slot = front_entry_maddr(front_pt_entry(front_root_mfn(), WINDOW, 1));
    check_eq(front_mmuext1(MMUEXT_PIN_L1_TABLE, front_va_to_mfn(table)), 0);
    check_eq(front_vcpu_start(1, flipper), 0);
    updates();
    check_eq(front_set_pte(slot, 0, 0), 0);
    grants();
    lists();
    trap_tables();
    returns();
    stop = 1;
    check(front_wait(&ended, 1, 1000000000UL), "the second vCPU does not end");
    check_eq(front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(table)), 0);
    check_eq(front_page_rw(table), 0);
}
