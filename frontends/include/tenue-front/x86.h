/* SPDX-License-Identifier: MIT */
/*
 * The x86-64 PV side of the SDK: what the processor looked like when the image was entered, trap
 * frames and recorded faults, page tables, user mode, other vCPUs, and the instructions C lacks.
 */
#ifndef TENUE_FRONT_X86_H
#define TENUE_FRONT_X86_H

#include <tenue-front/hypercall.h>
#include <tenue-front/types.h>

/* ---- start of day ---- */

/* Everything the entry code saw before it changed anything. */
struct front_boot_regs {
    u64 rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15;
    u64 rflags, cs, ss, ds, es, fs, gs;
    u64 tsc; /* when that was */
};
extern struct front_boot_regs front_boot_regs;
extern char front_image_start[], front_image_end[], front_virt_base[];
extern char front_hypercall_page[];

/* ---- traps ---- */

/* The tail, from rax on, is exactly the frame that HYPERVISOR_iret consumes. */
struct front_regs {
    u64 r15, r14, r13, r12, rbp, rbx, r10, r9, r8, rdx, rsi, rdi;
    u64 error, vector;
    u64 rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};

#define FRONT_VEC_EVENT 0x100
#define FRONT_VEC_FAILSAFE 0x101
#define FRONT_VEC_SYSCALL 0x102
#define FRONT_NR_VECTORS 0x103

/* A handler returns true when the frame may be resumed as it now stands. Without a handler, or
 * with one that declines, the exception table and then the user-mode runner are asked, and a trap
 * nobody wanted is printed and ends the guest. */
typedef bool (*front_trap_fn)(struct front_regs *regs);
void front_trap_set(unsigned vector, front_trap_fn fn);
/* The address to register for a vector (0..255, or one of FRONT_VEC_*). */
u64 front_trap_stub(unsigned vector);
/* The selectors a failsafe frame carried, in the order ds, es, fs, gs. */
extern u64 front_failsafe_sel[4];
/* (Re)register all stubs: trap table, event, failsafe and syscall callbacks, kernel stack. */
void front_trap_init(void);
void front_trap_vcpu_init(void);
static inline bool front_regs_user(const struct front_regs *regs)
{
    return (regs->cs & 3) == 3;
}

/* ---- recorded faults: FAULT("insn", : outs : ins : clobbers) == GP(0) ---- */

#define FAULT_NONE 0UL
#define FAULT_MAKE(vec, err) ((1UL << 63) | ((u64)(vec) << 32) | (u32)(err))
#define DE() FAULT_MAKE(0, 0)
#define UD() FAULT_MAKE(6, 0)
#define NM() FAULT_MAKE(7, 0)
#define NP(e) FAULT_MAKE(11, e)
#define SS(e) FAULT_MAKE(12, e)
#define GP(e) FAULT_MAKE(13, e)
#define PF(e) FAULT_MAKE(14, e)
#define FAULT_VECTOR(f) ((unsigned)((f) >> 32) & 0xff)
#define FAULT_ERROR(f) ((u32)(f))

#define FRONT_EXTABLE(from, to)                                                                    \
    ".pushsection .front.extable, \"a\"\n"                                                         \
    ".quad " from ", " to "\n"                                                                     \
    ".popsection\n"

void front_fault_clear(void);
u64 front_fault_take(void);
/* CR2 as vcpu_info showed it at the last recorded page fault. */
u64 front_fault_cr2(void);
/* True if the address has an exception-table entry; stores where to resume. */
bool front_extable_find(u64 rip, u64 *fixup);

/* Run one instruction; the value is the fault it raised, FAULT_NONE if it completed. */
#define FAULT(insn, ...)                                                                           \
    ({                                                                                             \
        front_fault_clear();                                                                       \
        __asm__ volatile("771: " insn "\n772:\n" FRONT_EXTABLE("771b", "772b") __VA_ARGS__);       \
        front_fault_take();                                                                        \
    })
u64 front_try_read(const volatile void *va, u64 *value);
u64 front_try_write(volatile void *va, u64 value);

/* ---- memory ---- */

#define PTE_P 0x001UL
#define PTE_RW 0x002UL
#define PTE_U 0x004UL
#define PTE_PWT 0x008UL
#define PTE_PCD 0x010UL
#define PTE_A 0x020UL
#define PTE_D 0x040UL
#define PTE_PS 0x080UL
#define PTE_G 0x100UL
#define PTE_NX (1UL << 63)
#define PTE_ADDR 0x000ffffffffff000UL
#define PTE_KERN (PTE_P | PTE_RW | PTE_U | PTE_A | PTE_D)
#define PTE_TABLE (PTE_P | PTE_RW | PTE_U | PTE_A)

extern u64 *front_p2m; /* this domain's list: frame number -> machine frame */
extern u64 front_nr_pages;
u64 front_va_to_pfn(const volatile void *va);
void *front_pfn_to_va(u64 pfn);
u64 front_va_to_mfn(const volatile void *va);
u64 front_mfn_to_pfn(u64 mfn); /* through the machine-to-physical table */
static inline u64 front_pte(u64 mfn, u64 flags)
{
    return mfn << FRONT_PAGE_SHIFT | flags;
}

/* Pages of the image's own bss, zeroed, each mapped read-write at its linear address. */
void *front_page_alloc(void); /* ends the guest when there is none */
void *front_page_try(void);   /* NULL then */
void front_page_free(void *page);
/* Frames of the domain above the part the builder mapped: RAM with no mapping at all yet. */
u64 front_spare_pfn(void);
u64 front_spare_left(void);

/* The entry for va at a level (1..4) below `root`, as a readable pointer; NULL when an upper level
 * is not present. The machine address of the same entry is what mmu_update wants. */
volatile u64 *front_pt_entry(u64 root_mfn, u64 va, int level);
u64 front_entry_maddr(const volatile u64 *entry);
u64 front_root_mfn(void);
int front_set_pte(u64 maddr, u64 val, unsigned cmd);     /* one mmu_update */
int front_set_entry(const volatile u64 *entry, u64 val); /* the same by pointer */
int front_page_set(void *va, u64 flags);                 /* remap a linear page, flushed */
int front_page_ro(void *va);
int front_page_rw(void *va);
/* Map a machine frame at an address outside the image; makes the tables it needs. */
int front_map(u64 va, u64 mfn, u64 flags);
int front_unmap(u64 va);
/* A read-only page fit to become a table of `level`, optionally pinned. */
u64 *front_table_alloc(void);
int front_mmuext1(unsigned cmd, u64 mfn);
int front_mmuext_va(unsigned cmd, u64 linear, u64 arg2);

/* ---- user mode ---- */

struct front_user_result {
    bool faulted;           /* left by an exception; otherwise by the exit call */
    u64 value;              /* what the user code handed to front_user_exit() */
    u64 fault;              /* FAULT_MAKE word */
    struct front_regs regs; /* as the kernel saw them on the way back */
};
/* Run fn(arg) in ring 3 on a stack of its own until it calls front_user_exit(), returns or
 * faults. The user root must be set (front_user_root_init() sets the kernel's own). */
int front_user_root_init(void);
struct front_user_result front_user_run(u64 (*fn)(u64 arg), u64 arg);
/* As front_user_run with everything chosen by the caller: the frame handed to HYPERVISOR_iret. */
struct front_user_result front_user_enter(struct front_regs *frame);
void front_user_prepare(struct front_regs *frame, u64 (*fn)(u64 arg), u64 arg);
u64 front_user_syscall(u64 nr, u64 arg); /* called in user mode: a bare `syscall` */
#define FRONT_USER_EXIT 0x45584954UL
/* Kernel side of other numbers: called with the frame, returns as a trap handler does. */
void front_user_set_syscall(front_trap_fn fn);

/* ---- vCPUs ---- */

#define FRONT_MAX_VCPUS 16
unsigned front_vcpu_id(void);
int front_vcpu_start(unsigned id, void (*fn)(void));

/* ---- instructions ---- */

static inline u64 front_rdtsc(void)
{
    u32 lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (u64)hi << 32 | lo;
}

struct front_cpuid {
    u32 eax, ebx, ecx, edx;
};
/* The forced-emulation form: the hypervisor's answer, never the bare processor's. */
static inline struct front_cpuid front_cpuid(u32 leaf, u32 sub)
{
    struct front_cpuid r;

    __asm__ volatile("ud2; .ascii \"xen\"; cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(sub));
    return r;
}
static inline struct front_cpuid front_native_cpuid(u32 leaf, u32 sub)
{
    struct front_cpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(sub));
    return r;
}
static inline u64 front_rflags(void)
{
    u64 f;

    __asm__ volatile("pushf; pop %0" : "=r"(f));
    return f;
}

#endif
