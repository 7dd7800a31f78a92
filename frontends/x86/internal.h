/* SPDX-License-Identifier: MIT */
/* What the files of x86/ share among themselves and nobody else. */
#ifndef TENUE_FRONT_X86_INTERNAL_H
#define TENUE_FRONT_X86_INTERNAL_H

#include <tenue-front/front.h>
#include <tenue-front/x86.h>

/* A vCPU's block: kernel stack growing down from the middle, trap stack (entered from user mode)
 * from the end. Which vCPU is running follows from RSP, so that no segment base is needed. */
#define FRONT_STACK_BLOCK (2 * FRONT_STACK_SIZE)
extern char front_stacks[FRONT_MAX_VCPUS][FRONT_STACK_BLOCK];

struct front_vcpu {
    u64 fault; /* last recorded, 0 when none */
    u64 fault_cr2;
    u64 user_rsp; /* where front_user_jump() waits; 0 when no user code runs */
    struct front_user_result user;
    void (*fn)(void);
};
extern struct front_vcpu front_vcpus[FRONT_MAX_VCPUS];

void front_start(const start_info_t *si);
void front_vcpu_main(void (*fn)(void));
void front_vcpu_entry(void);
void front_trap_dispatch(struct front_regs *regs);
void front_user_jump(struct front_regs *frame, u64 *saved_rsp);
void front_user_land(u64 saved_rsp) __attribute__((noreturn));
void front_user_return(void);
bool front_user_trap(struct front_regs *regs);
void front_memory_init(void);

#endif
