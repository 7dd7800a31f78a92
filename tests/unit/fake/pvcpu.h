/* SPDX-License-Identifier: MIT */
/*
 * One vcpu in the middle of running, for tests of entry, exit and emulation: a guest (fake.h) with
 * a trap table, callbacks, a user root that maps what the kernel root does, and pages with a role.
 */
#ifndef TENUE_FAKE_PVCPU_H
#define TENUE_FAKE_PVCPU_H

#include "../../hypervisor/pv/state.h"
#include "fake.h"

/* Frames by role. */
#define PV_CODE 40u  /* two pages of code; RIP is put anywhere in them */
#define PV_STACK 44u /* one page of kernel stack, an unused one below and above */
#define PV_DATA 48u  /* two pages of data */
#define PV_GDT 52u   /* not mapped: may become descriptor frames */
#define PV_LDT 54u   /* two, mapped read-only */
#define PV_UNMAPPED 58u
#define PV_ARGS 62u
#define PV_STACK_TOP guest_va_at(PV_STACK + 1)
#define PV_USER_SP (guest_va_at(PV_DATA) + 0x800)
#define PV_USER_CS 0xe033u
#define PV_USER_SS 0xe02bu

extern struct guest pvg;
extern struct vcpu *pvv;          /* its vcpu 0, current */
extern struct cpu_user_regs *pvr; /* its live registers */

#define PV_HANDLER(vector) (0xffffffff81000000ull + (vector)*16u) /* of each vector, and then: */
enum { PV_AT_EVENT = 256, PV_AT_FAILSAFE, PV_AT_SYSCALL, PV_AT_SYSCALL32, PV_AT_SYSENTER };

/* Domain domid (0: the control domain) in guest kernel mode; every register has its own value. */
void pv_begin(uint16_t domid);
/* Audited and taken apart; all its frames come back. */
void pv_end(void);
/* As if the guest had entered that mode by itself: roots and GS bases follow; CS, SS and RSP too.
 */
void pv_mode(bool kernel);
/* Registers as pv_begin left them, for the present mode. */
void pv_fresh_regs(void);
/* Instruction bytes at the given offset of the code pages, RIP on them. */
void pv_code(unsigned offset, const void *bytes, unsigned count);
/* True once: the guest was crashed since the last call. Its vcpu then goes on for the test's sake.
 */
bool pv_crashed(void);
/* Word n of the frame that the handler finds. */
uint64_t pv_frame(unsigned n);

#endif
