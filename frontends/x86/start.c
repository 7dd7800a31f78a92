/* SPDX-License-Identifier: MIT */
/*
 * From the first C instruction to front_main(): remembers what the builder handed over, registers
 * traps and events, maps the shared info page. Owns the stacks and the shared page's address.
 */
#include "internal.h"

struct front_boot_regs front_boot_regs = {.rax = 1}; /* in .data: valid before .bss is trusted */
char front_stacks[FRONT_MAX_VCPUS][FRONT_STACK_BLOCK] FRONT_PAGE_ALIGNED;
struct front_vcpu front_vcpus[FRONT_MAX_VCPUS];
const start_info_t *front_si;
shared_info_t *front_shared;

static char shared_page[FRONT_PAGE_SIZE] FRONT_PAGE_ALIGNED;
static vcpu_info_t *moved_info[FRONT_MAX_VCPUS];

__attribute__((weak)) void front_early(void)
{
}

__attribute__((weak)) void front_dying(const char *why)
{
    (void)why;
}

vcpu_info_t *front_vcpu_info(unsigned vcpu)
{
    return moved_info[vcpu] ? moved_info[vcpu] : &front_shared->vcpu_info[vcpu];
}

void front_vcpu_info_moved(unsigned vcpu, vcpu_info_t *to)
{
    moved_info[vcpu] = to;
}

unsigned front_vcpu_id(void)
{
    u64 here = (u64)__builtin_frame_address(0) - (u64)front_stacks;

    return here < sizeof(front_stacks) ? here / FRONT_STACK_BLOCK : 0;
}

static void map_shared_info(void)
{
    long rc = hc_update_va_mapping(shared_page, front_si->shared_info | PTE_KERN, UVMF_INVLPG);

    if (rc)
        front_panic("shared_info at machine address %lx cannot be mapped: %ld",
                    front_si->shared_info, rc);
    front_shared = (shared_info_t *)shared_page;
}

void front_start(const start_info_t *si)
{
    front_si = si;
    front_memory_init();
    front_early();
    front_trap_init();
    map_shared_info();
    front_evtchn_init();
    front_console_init();
    front_main();
    front_shutdown(SHUTDOWN_poweroff);
}

void front_panic(const char *fmt, ...)
{
    static bool dying;
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    front_vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    front_printf("guest panic: %s\n", text);
    if (!dying) {
        dying = true;
        front_dying(text);
    }
    front_shutdown(SHUTDOWN_crash);
}
