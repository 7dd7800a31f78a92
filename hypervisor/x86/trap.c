/* SPDX-License-Identifier: MIT */
/*
 * What an exception means, by where it came from. From a guest: descriptor-window faults are ours
 * to mend, all else is pv/'s. In the hypervisor: the IRET to a guest, a recovery entry (extable.c),
 * a descriptor-window fault; anything else is a bug of ours and ends in a dump.
 */
#include <tenue/account.h>
#include <tenue/assert.h>
#include <tenue/entrypoints.h>
#include <tenue/log.h>
#include <tenue/vcpu.h>

#include "asm.h"
#include "lib.h"
#include "machine.h"

#define GPR_BYTES offsetof(struct cpu_user_regs, error_code)

extern uint8_t exit_iretq[], isolation_iretq[];

/* entry.S. */
void trap_from_guest(struct cpu_user_regs *regs);
struct cpu_user_regs *trap_move_to_main_stack(const struct cpu_user_regs *regs);
void trap_ist(struct cpu_user_regs *regs);

/* Is cr2 in this CPU's LDT window? The offset into it, else -1. */
static int64_t ldt_window_offset(uint64_t cr2)
{
    uint64_t off = cr2 - (this_pcpu()->window_virt + WINDOW_PAGES * PAGE_SIZE);

    return off < WINDOW_PAGES * PAGE_SIZE ? (int64_t)off : -1;
}

static noinline_fn void guest_page_fault(struct cpu_user_regs *regs)
{
    uint64_t cr2 = cr2_read();
    int64_t off = ldt_window_offset(cr2);

    /* The CPU reads descriptors as a supervisor whoever loads the selector. */
    if (unlikely(off >= 0) && !(regs->error_code & 4)) {
        if (pv_ldt_fault((uint64_t)off))
            return;
        cr2 = this_cpu()->current->pv.ldt_base + (uint64_t)off;
    }
    pv_exception(regs, VEC_PF, cr2);
}

/* Status bits accumulate for the guest; the register starts afresh. */
static void collect_debug_status(void)
{
    uint64_t dr6;

    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    __asm__ volatile("mov %0, %%dr6" ::"r"(DR6_DEFAULT));
    this_cpu()->current->pv.debugreg[6] |= dr6 & DR6_STATUS;
}

static inline void handle(struct cpu_user_regs *regs)
{
    const uint8_t vector = (uint8_t)regs->entry_vector;

    if (vector == VEC_PF) {
        guest_page_fault(regs);
    } else if (vector == VEC_INT80) {
        pv_software_interrupt(regs, vector);
    } else {
        if (vector == VEC_DB)
            collect_debug_status();
        pv_exception(regs, vector, 0);
    }
}

static noinline_fn void handle_watched(struct cpu_user_regs *regs)
{
    const uint8_t vector = (uint8_t)regs->entry_vector;

    account_enter(vector < VEC_EXCEPTIONS ? TENUE_PART_EXCEPTION + vector : TENUE_PART_INT_N);
    handle(regs);
}

void trap_from_guest(struct cpu_user_regs *regs)
{
    if (unlikely(watch_on))
        handle_watched(regs);
    else
        handle(regs);
}

static void dump(const struct cpu_user_regs *r)
{
    const uint64_t *stack = (const uint64_t *)(r->rsp & ~7ull);

    log_err("rip %04x:%016lx flags %08lx rsp %04x:%016lx\n", r->cs, r->rip, r->rflags, r->ss,
            r->rsp);
    log_err("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    log_err("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", r->rsi, r->rdi, r->rbp, r->r8);
    log_err("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", r->r9, r->r10, r->r11, r->r12);
    log_err("r13 %016lx r14 %016lx r15 %016lx cr2 %016lx root %lx\n", r->r13, r->r14, r->r15,
            cr2_read(), this_cpu()->root.n);
    /* Return addresses, while the stack pointer is in our block. */
    for (unsigned i = 0, shown = 0;
         shown < 16 && ((r->rsp + 8 * i) & ~0xffffull) == (uint64_t)this_cpu(); i++) {
        if (stack[i] < (uint64_t)image_start || stack[i] >= (uint64_t)image_rodata)
            continue;
        log_err("  stack+%03x: %016lx\n", 8 * i, stack[i]);
        shown++;
    }
}

static noreturn_fn void die(const struct cpu_user_regs *regs)
{
    console_force_unlock();
    dump(regs);
    panic("exception %u (error %#x) in the hypervisor at %#lx", regs->entry_vector & 0xff,
          regs->error_code, regs->rip);
}

/*
 * The IRET to the guest faulted: its frame is still where it was, and the guest's general registers
 * are those of the nested frame, which may overlap. Make the guest's register frame whole again;
 * it hears of it, unless the exit can work now.
 */
static void exit_failed(const struct cpu_user_regs *nested, bool mended)
{
    struct cpu_user_regs *guest = guest_frame();
    const uint32_t vector = nested->entry_vector;

    memmove(guest, nested, GPR_BYTES);
    guest->entry_vector = vector;
    hal_read_selectors(guest);
    if (!mended)
        pv_failsafe(guest);
}

/* Nonzero: the exit to the guest failed, and is to be tried again with the registers as they are.
 */
unsigned trap_from_hv(struct cpu_user_regs *regs)
{
    const uint8_t vector = (uint8_t)regs->entry_vector;
    bool mended = false;
    uint64_t fixup;
    int64_t off;

    if (vector == VEC_DB) { /* a guest's TF over SYSENTER, or its watchpoint on what we read */
        regs->rflags &= ~(uint64_t)EFLAGS_TF;
        __asm__ volatile("mov %0, %%dr6" ::"r"(DR6_DEFAULT));
        return 0;
    }
    if (vector == VEC_PF) {
        off = ldt_window_offset(cr2_read());
        mended = off >= 0 && this_cpu()->current != NULL && pv_ldt_fault((uint64_t)off);
        /* From a guest's root there is no way back into the middle of the exit. */
        if (mended && (this_pcpu()->guest_l4 == NULL || regs->rip != (uint64_t)isolation_iretq))
            return 0;
    }
    if (regs->rip == (uint64_t)exit_iretq || regs->rip == (uint64_t)isolation_iretq) {
        exit_failed(regs, mended);
        return 1;
    }
    fixup = extable_fixup(regs->rip);
    if (fixup == 0)
        die(regs);
    regs->rip = fixup;
    return 0;
}

/* From the debug stack to where a guest's registers live. */
struct cpu_user_regs *trap_move_to_main_stack(const struct cpu_user_regs *regs)
{
    struct cpu_user_regs *to = guest_frame();

    memcpy(to, regs, offsetof(struct cpu_user_regs, es));
    return to;
}

void trap_ist(struct cpu_user_regs *regs)
{
    if (regs->entry_vector != VEC_NMI)
        die(regs);
}
