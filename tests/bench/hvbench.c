/* SPDX-License-Identifier: MIT */
/* hvbench: a freestanding Xen PV guest that times hypercalls, traps and page-table work.
 * Boots as the control domain (prints through console_io) or as an ordinary domain (prints on
 * its console ring). Figures are TSC ticks per operation: under -icount shift=0 one tick is one
 * guest instruction, the hypervisor's included. */
#include <stdint.h>
#include <stddef.h>
#include <stdarg.h>
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/memory.h>
#include <xen/grant_table.h>
#include <xen/features.h>
#include <xen/physdev.h>
#include <xen/io/console.h>

typedef uint64_t u64;
typedef uint32_t u32;

#define VIRT_BASE 0xffffffff80000000UL
#define M2P ((u64 *)0xffff800000000000UL)
#define P_PRESENT 1UL
#define P_RW 2UL
#define P_USER 4UL
#define P_A 0x20UL
#define P_D 0x40UL
#define PTE_FLAGS (P_PRESENT | P_RW | P_USER | P_A | P_D)
#define PAGE __attribute__((aligned(4096)))

extern char hypercall_page[], _start[], _end[];
extern char event_entry[], failsafe_entry[], bp_entry[], ud_entry[], gp_entry[], pf_entry[],
    syscall_entry[];
extern char user_syscalls[], user_int3[], ustack_top[], kstack_top[];
void *memset(void *d, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
void die(long code, unsigned long rip); /* from assembly too */
void cmain(start_info_t *s);
void run_user(void *rip, void *rsp, long n);

struct shared_info *shared;
volatile u64 upcalls, gps, pfs;
volatile u32 pf_mode;
u64 pf_va, pf_pte;

static start_info_t *si;
static u64 *p2m;
static domid_t self;

static char page_a[4096] PAGE, page_b[4096] PAGE, shinfo_va[4096] PAGE, gnt_va[4096] PAGE,
    map_va[4096] PAGE;
static char l1_new[4096] PAGE;
static char many[64][4096] PAGE;
static char logbuf[32768];
static unsigned logn;

/* ---- hypercalls ---- */
#define HC(nr) (hypercall_page + (nr)*32)
static inline long hc(unsigned nr, u64 a, u64 b, u64 c, u64 d)
{
    long r;
    register u64 r10 asm("r10") = d;
    asm volatile("call *%[f]"
                 : "=a"(r), "+D"(a), "+S"(b), "+d"(c), "+r"(r10)
                 : [f] "r"(HC(nr))
                 : "rcx", "r11", "r8", "r9", "memory");
    return r;
}
#define hc1(n, a) hc(n, (u64)(a), 0, 0, 0)
#define hc2(n, a, b) hc(n, (u64)(a), (u64)(b), 0, 0)
#define hc3(n, a, b, c) hc(n, (u64)(a), (u64)(b), (u64)(c), 0)
#define hc4(n, a, b, c, d) hc(n, (u64)(a), (u64)(b), (u64)(c), (u64)(d))

static inline u64 rdtsc(void)
{
    u32 lo, hi;
    asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (u64)hi << 32 | lo;
}

void *memset(void *d, int c, size_t n)
{
    char *p = d;
    while (n--)
        *p++ = c;
    return d;
}
void *memcpy(void *d, const void *s, size_t n)
{
    char *p = d;
    const char *q = s;
    while (n--)
        *p++ = *q++;
    return d;
}

/* ---- output ---- */
static void put(const char *s, unsigned n)
{
    for (unsigned i = 0; i < n && logn < sizeof logbuf; i++)
        logbuf[logn++] = s[i];
}

static void flush(void)
{
    if (si->flags & SIF_INITDOMAIN) {
        hc3(__HYPERVISOR_console_io, 0, logn, logbuf);
        logn = 0;
        return;
    }
    struct xencons_interface *c = (void *)(VIRT_BASE + (M2P[si->console.domU.mfn] << 12));
    struct evtchn_send s = {.port = si->console.domU.evtchn};
    for (unsigned i = 0; i < logn;) {
        while (c->out_prod - *(volatile XENCONS_RING_IDX *)&c->out_cons >= sizeof c->out) {
            hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &s);
            hc2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
        }
        c->out[MASK_XENCONS_IDX(c->out_prod, c->out)] = logbuf[i++];
        asm volatile("" ::: "memory");
        c->out_prod++;
    }
    hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &s);
    while (*(volatile XENCONS_RING_IDX *)&c->out_cons != c->out_prod)
        hc2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    logn = 0;
}

static void num(u64 v, unsigned base, int width)
{
    char b[24];
    int n = 0;
    do {
        b[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    while (width-- > n)
        put(" ", 1);
    while (n)
        put(&b[--n], 1);
}

static void say(const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
    for (; *f; f++) {
        if (*f != '%') {
            put(f, 1);
            continue;
        }
        f++;
        if (*f == 's') {
            const char *s = va_arg(ap, const char *);
            unsigned n = 0;
            while (s[n])
                n++;
            put(s, n);
        } else if (*f == 'S') { /* name, padded to 34 */
            const char *s = va_arg(ap, const char *);
            unsigned n = 0;
            while (s[n])
                n++;
            put(s, n);
            while (n++ < 34)
                put(" ", 1);
        } else if (*f == 'd') {
            long v = va_arg(ap, long);
            if (v < 0) {
                put("-", 1);
                v = -v;
            }
            num(v, 10, 0);
        } else if (*f == 'u')
            num(va_arg(ap, u64), 10, 0);
        else if (*f == 'x')
            num(va_arg(ap, u64), 16, 0);
        else if (*f == 't') { /* tenths, right-aligned */
            u64 v = va_arg(ap, u64);
            num(v / 10, 10, 9);
            put(".", 1);
            num(v % 10, 10, 0);
        }
    }
    va_end(ap);
}

void die(long code, u64 rip)
{
    say("HVBENCH DIED %x rip %x cr2 %x\n", code, rip, shared ? shared->vcpu_info[0].arch.cr2 : 0);
    flush();
    struct sched_shutdown sd = {.reason = si->flags & SIF_INITDOMAIN ? SHUTDOWN_reboot
                                                                     : SHUTDOWN_poweroff};
    hc2(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &sd);
    for (;;)
        ;
}

/* ---- page-table helpers ---- */
static u64 va_pfn(const void *va)
{
    return ((u64)va - VIRT_BASE) >> 12;
}
static u64 va_mfn(const void *va)
{
    return p2m[va_pfn(va)];
}
static u64 *mfn_va(u64 mfn)
{
    return (u64 *)(VIRT_BASE + (M2P[mfn] << 12));
}

static u64 *pte_of(const void *va) /* our (read-only) view of the L1 entry */
{
    u64 *t = (u64 *)si->pt_base, a = (u64)va;
    for (int sh = 39; sh > 12; sh -= 9)
        t = mfn_va((t[a >> sh & 511] & 0x000ffffffffff000UL) >> 12);
    return &t[a >> 12 & 511];
}
static u64 pte_ma(const void *va)
{
    u64 *p = pte_of(va);
    return va_mfn((void *)((u64)p & ~4095UL)) << 12 | ((u64)p & 4095);
}
static long set_va(const void *va, u64 pte, u64 fl)
{
    return hc3(__HYPERVISOR_update_va_mapping, va, pte, fl);
}

/* ---- harness ---- */
/* window markers for the tcgcount plugin: a long nop nobody else uses */
#define MARK(id) asm volatile(".byte 0x0f,0x1f,0x84,0x00," #id ",0x00,0x45,0x54")
#define BATCHES 7
static void report(const char *name, u64 *t, u64 n)
{
    MARK(2);
    for (int i = 1; i < BATCHES; i++)
        for (int j = i; j && t[j] < t[j - 1]; j--) {
            u64 x = t[j];
            t[j] = t[j - 1];
            t[j - 1] = x;
        }
    say("HV %S n %u min %t med %t max %t\n", name, n, t[0] * 10 / n, t[BATCHES / 2] * 10 / n,
        t[BATCHES - 1] * 10 / n);
    if (si->flags & SIF_INITDOMAIN)
        flush();
}
#define BENCH(name, n, stmt)                                                                       \
    do {                                                                                           \
        u64 t_[BATCHES];                                                                           \
        for (long i = 0; i < (n) / 8 + 1; i++) {                                                   \
            stmt;                                                                                  \
        }                                                                                          \
        for (int b_ = 0; b_ < BATCHES; b_++) {                                                     \
            MARK(1);                                                                               \
            u64 s_ = rdtsc();                                                                      \
            for (long i = 0; i < (n); i++) {                                                       \
                stmt;                                                                              \
            }                                                                                      \
            t_[b_] = rdtsc() - s_;                                                                 \
            MARK(5);                                                                               \
        }                                                                                          \
        report(name, t_, n);                                                                       \
    } while (0)
#define CHECK(name, e)                                                                             \
    do {                                                                                           \
        long r_ = (e);                                                                             \
        if (r_)                                                                                    \
            say("HV %S failed %d\n", name, r_);                                                    \
        else                                                                                       \
            ok = 1;                                                                                \
    } while (0)

static void traps(void)
{
    static struct trap_info ti[] = {{.vector = 3, .flags = 3, .cs = 0xe033},
                                    {.vector = 6, .flags = 0, .cs = 0xe033},
                                    {.vector = 13, .flags = 0, .cs = 0xe033},
                                    {.vector = 14, .flags = 0, .cs = 0xe033},
                                    {0}};
    ti[0].address = (u64)bp_entry;
    ti[1].address = (u64)ud_entry;
    ti[2].address = (u64)gp_entry;
    ti[3].address = (u64)pf_entry;
    if (hc1(__HYPERVISOR_set_trap_table, ti))
        say("HV set_trap_table failed\n");
    if (hc3(__HYPERVISOR_set_callbacks, event_entry, failsafe_entry, syscall_entry))
        say("HV set_callbacks failed\n");
    if (hc2(__HYPERVISOR_stack_switch, 0xe02b, kstack_top))
        say("HV stack_switch failed\n");
}

static void bench_model(void)
{
    BENCH("model: empty loop", 10000, asm volatile(""));
    BENCH("model: rdtsc", 1000, rdtsc());
    BENCH("model: 64 nops", 1000, asm volatile(".rept 64; nop; .endr"));
    BENCH("model: rep movsb 4096", 200, ({
              void *d = page_a, *s = page_b;
              long c = 4096;
              asm volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(c)::"memory");
          }));
    BENCH("model: rep movsq 4096", 200, ({
              void *d = page_a, *s = page_b;
              long c = 512;
              asm volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(c)::"memory");
          }));
    BENCH("model: rep stosq 4096", 200, ({
              void *d = page_a;
              long c = 512;
              asm volatile("rep stosq" : "+D"(d), "+c"(c) : "a"(0L) : "memory");
          }));
    BENCH("model: mov 8B x512 (unrolled 8)", 200, ({
              u64 *d = (u64 *)page_a, *s = (u64 *)page_b;
              for (int k = 0; k < 512; k += 8) {
                  asm volatile("" ::: "memory");
                  d[k] = s[k];
                  d[k + 1] = s[k + 1];
                  d[k + 2] = s[k + 2];
                  d[k + 3] = s[k + 3];
                  d[k + 4] = s[k + 4];
                  d[k + 5] = s[k + 5];
                  d[k + 6] = s[k + 6];
                  d[k + 7] = s[k + 7];
              }
          }));
    BENCH("model: touch 64 pages", 200, ({
              for (int k = 0; k < 64; k++)
                  *(volatile char *)many[k];
          }));
    BENCH("model: cpuid (native)", 200, ({
              u32 a = 1, b, c = 0, d;
              asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
          }));
}

static void bench_calls(void)
{
    BENCH("xen_version", 2000, hc2(__HYPERVISOR_xen_version, XENVER_version, 0));
    BENCH("bad hypercall number", 1000, hc2(49, 0, 0));
    struct xen_feature_info fi = {0};
    BENCH("xen_version get_features (copy)", 1000,
          hc2(__HYPERVISOR_xen_version, XENVER_get_features, &fi));
    static multicall_entry_t mc[32];
    BENCH("multicall x32 xen_version", 200, ({
              for (int k = 0; k < 32; k++) {
                  mc[k].op = __HYPERVISOR_xen_version;
                  mc[k].args[0] = XENVER_version;
                  mc[k].args[1] = 0;
              }
              hc2(__HYPERVISOR_multicall, mc, 32);
          }));
    BENCH("sched_op yield", 1000, hc2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0));
    BENCH("vcpu_op is_up", 1000, hc3(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 0, 0));
    struct vcpu_runstate_info rs;
    BENCH("vcpu_op get_runstate_info", 1000,
          hc3(__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, 0, &rs));
    u64 far = shared->vcpu_info[0].time.system_time + 3600000000000UL;
    BENCH("set_timer_op (far)", 1000, hc1(__HYPERVISOR_set_timer_op, far + i));
    BENCH("set_timer_op (stop)", 1000, hc1(__HYPERVISOR_set_timer_op, 0));
    struct vcpu_set_singleshot_timer ss = {.timeout_abs_ns = far};
    BENCH("vcpu_op set_singleshot_timer", 1000,
          hc3(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, &ss));
    hc3(__HYPERVISOR_vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0);
    BENCH("fpu_taskswitch set+clear", 1000, ({
              hc1(__HYPERVISOR_fpu_taskswitch, 1);
              hc1(__HYPERVISOR_fpu_taskswitch, 0);
          }));
    BENCH("stack_switch", 1000, hc2(__HYPERVISOR_stack_switch, 0xe02b, kstack_top));
    BENCH("set_segment_base fs", 1000, hc2(__HYPERVISOR_set_segment_base, 0, 0x1000));
    BENCH("set_segment_base gs_user", 1000, hc2(__HYPERVISOR_set_segment_base, 1, 0x1000));
}

static void bench_events(void)
{
    struct evtchn_bind_ipi ipi = {.vcpu = 0};
    struct evtchn_alloc_unbound au = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    int ok = 0;
    hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &ipi);
    hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &au);
    struct evtchn_bind_interdomain bi = {.remote_dom = DOMID_SELF, .remote_port = au.port};
    CHECK("evtchn bind_interdomain",
          hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bi));
    struct evtchn_status st = {.dom = DOMID_SELF, .port = bi.local_port};
    if (!hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_status, &st))
        self = st.u.interdomain.dom;
    say("HV INFO self domid %u ipi port %u loop ports %u %u\n", (u64)self, (u64)ipi.port,
        (u64)au.port, (u64)bi.local_port);
    shared->evtchn_mask[0] = 0;
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    struct evtchn_send s1 = {.port = ipi.port}, s2 = {.port = bi.local_port};
    BENCH("evtchn send ipi, no upcall", 1000, ({
              hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &s1);
              shared->evtchn_pending[0] = 0;
              shared->vcpu_info[0].evtchn_pending_sel = 0;
              shared->vcpu_info[0].evtchn_upcall_pending = 0;
          }));
    BENCH("evtchn send interdomain, no upcall", 1000, ({
              hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &s2);
              shared->evtchn_pending[0] = 0;
              shared->vcpu_info[0].evtchn_pending_sel = 0;
              shared->vcpu_info[0].evtchn_upcall_pending = 0;
          }));
    BENCH("evtchn send, already pending", 1000,
          hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &s2));
    shared->evtchn_pending[0] = 0;
    shared->vcpu_info[0].evtchn_pending_sel = 0;
    shared->vcpu_info[0].evtchn_upcall_pending = 0;
    shared->vcpu_info[0].evtchn_upcall_mask = 0;
    u64 u0 = upcalls;
    BENCH("evtchn send + upcall + iret", 1000,
          hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &s2));
    say("HV INFO upcalls %u\n", upcalls - u0);
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    BENCH("sched_op block (event pending)", 500, ({
              shared->vcpu_info[0].evtchn_upcall_mask = 1;
              hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &s2);
              hc2(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
          })); /* block unmasks: the upcall is delivered */
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    BENCH("evtchn alloc_unbound + close", 500, ({
              struct evtchn_alloc_unbound a = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
              hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &a);
              struct evtchn_close c = {.port = a.port};
              hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &c);
          }));
    /* wake from idle by timer: bind VIRQ_TIMER, arm 50us ahead, block */
    struct evtchn_bind_virq bv = {.virq = VIRQ_TIMER, .vcpu = 0};
    CHECK("evtchn bind_virq", hc2(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &bv));
    shared->evtchn_mask[0] = 0;
    BENCH("timer 50us + block, upcall", 100, ({
              struct vcpu_time_info *ti = &shared->vcpu_info[0].time;
              u64 d = rdtsc() - ti->tsc_timestamp;
              d = ti->tsc_shift < 0 ? d >> -ti->tsc_shift : d << ti->tsc_shift;
              u64 now = ti->system_time + (u64)((unsigned __int128)d * ti->tsc_to_system_mul >> 32);
              hc1(__HYPERVISOR_set_timer_op, now + 50000);
              hc2(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
              shared->vcpu_info[0].evtchn_upcall_mask = 1;
          }));
    (void)ok;
}

static void bench_mmu(void)
{
    int ok = 0;
    u64 ma = va_mfn(page_a) << 12 | PTE_FLAGS, mb = va_mfn(page_b) << 12 | PTE_FLAGS;
    u64 orig = *pte_of(map_va);
    mmu_update_t u = {.ptr = pte_ma(map_va) | MMU_NORMAL_PT_UPDATE};
    u.val = ma;
    CHECK("mmu_update", hc4(__HYPERVISOR_mmu_update, &u, 1, 0, DOMID_SELF));
    BENCH("mmu_update same frame, flags", 1000, ({
              u.val = i & 1 ? ma : ma & ~P_D;
              hc4(__HYPERVISOR_mmu_update, &u, 1, 0, DOMID_SELF);
          }));
    BENCH("mmu_update change frame", 1000, ({
              u.val = i & 1 ? ma : mb;
              hc4(__HYPERVISOR_mmu_update, &u, 1, 0, DOMID_SELF);
          }));
    static mmu_update_t mu[64];
    static u64 many_orig[64];
    for (int k = 0; k < 64; k++) {
        many_orig[k] = *pte_of(many[k]);
        mu[k].ptr = pte_ma(many[k]);
    }
    BENCH("mmu_update x64 change frame", 100, ({
              for (int k = 0; k < 64; k++)
                  mu[k].val = i & 1 ? ma : mb;
              hc4(__HYPERVISOR_mmu_update, mu, 64, 0, DOMID_SELF);
          }));
    BENCH("mmu_update x64 clear + x64 set", 100, ({
              for (int k = 0; k < 64; k++)
                  mu[k].val = 0;
              hc4(__HYPERVISOR_mmu_update, mu, 64, 0, DOMID_SELF);
              for (int k = 0; k < 64; k++)
                  mu[k].val = many_orig[k];
              hc4(__HYPERVISOR_mmu_update, mu, 64, 0, DOMID_SELF);
          }));
    BENCH("update_va_mapping change, no flush", 1000, set_va(map_va, i & 1 ? ma : mb, UVMF_NONE));
    BENCH("update_va_mapping change, invlpg", 1000,
          set_va(map_va, i & 1 ? ma : mb, UVMF_INVLPG | UVMF_LOCAL));
    BENCH("update_va_mapping change, tlb flush", 500,
          set_va(map_va, i & 1 ? ma : mb, UVMF_TLB_FLUSH | UVMF_LOCAL));
    u64 *pte = pte_of(map_va);
    BENCH("direct PTE write (ptwr emulation)", 500, *(volatile u64 *)pte = (i & 1 ? ma : mb));
    BENCH("direct PTE xchg (ptwr emulation)", 500, ({
              u64 v = i & 1 ? ma : mb;
              asm volatile("xchg %0,%1" : "+r"(v), "+m"(*pte)::"memory");
          }));
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    BENCH("mmuext tlb_flush_local", 500, hc4(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF));
    op.cmd = MMUEXT_INVLPG_LOCAL;
    op.arg1.linear_addr = (u64)map_va;
    BENCH("mmuext invlpg_local", 500, hc4(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF));
    u64 cr3 = va_mfn((void *)si->pt_base);
    op.cmd = MMUEXT_NEW_BASEPTR;
    op.arg1.mfn = cr3;
    BENCH("mmuext new_baseptr (same L4)", 500, hc4(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF));
    /* pin and unpin an L1 */
    u64 *l1 = (u64 *)l1_new;
    for (int full = 0; full < 2; full++) {
        for (int k = 0; k < 512; k++)
            l1[k] = full ? ma : 0;
        CHECK("L1 read-only",
              set_va(l1_new, va_mfn(l1_new) << 12 | (PTE_FLAGS & ~P_RW), UVMF_INVLPG | UVMF_LOCAL));
        struct mmuext_op p = {.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = va_mfn(l1_new)};
        CHECK("pin L1", hc4(__HYPERVISOR_mmuext_op, &p, 1, 0, DOMID_SELF));
        p.cmd = MMUEXT_UNPIN_TABLE;
        hc4(__HYPERVISOR_mmuext_op, &p, 1, 0, DOMID_SELF);
        BENCH(full ? "pin+unpin L1, 512 entries" : "pin+unpin L1, empty", 50, ({
                  p.cmd = MMUEXT_PIN_L1_TABLE;
                  hc4(__HYPERVISOR_mmuext_op, &p, 1, 0, DOMID_SELF);
                  p.cmd = MMUEXT_UNPIN_TABLE;
                  hc4(__HYPERVISOR_mmuext_op, &p, 1, 0, DOMID_SELF);
              }));
        set_va(l1_new, va_mfn(l1_new) << 12 | PTE_FLAGS, UVMF_INVLPG | UVMF_LOCAL);
    }
    /* faults */
    set_va(map_va, 0, UVMF_INVLPG | UVMF_LOCAL);
    pf_mode = 0;
    BENCH("#PF bounce + iret (skip)", 500,
          asm volatile(".byte 0x8a,0x07" ::"D"(map_va)
                       : "rax", "memory"));
    pf_mode = 1;
    pf_va = (u64)map_va;
    pf_pte = ma;
    BENCH("unmap, touch, #PF, map, iret", 500, ({
              set_va(map_va, 0, UVMF_INVLPG | UVMF_LOCAL);
              asm volatile(".byte 0x8a,0x07" ::"D"(map_va) : "rax", "memory");
          }));
    pf_mode = 2;
    set_va(map_va, orig, UVMF_INVLPG | UVMF_LOCAL);
    BENCH("int3 bounce + iret", 500, asm volatile("int3"));
    BENCH("ud2 bounce + iret", 500, asm volatile("ud2"));
    BENCH("emulated rdmsr (FS_BASE)", 500, ({
              u32 a, d;
              asm volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(0xc0000100));
          }));
    BENCH("emulated mov from cr0", 500, ({
              u64 v;
              asm volatile("mov %%cr0,%0" : "=r"(v));
          }));
    struct physdev_set_iopl iopl = {.iopl = 1};
    hc2(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &iopl);
    BENCH("emulated in from port 0x80", 500, ({
              unsigned char v;
              asm volatile("inb $0x80,%0" : "=a"(v));
          }));
    BENCH("emulated cpuid (ud2 prefix)", 500, ({
              u32 a = 1, b, c = 0, d;
              asm volatile("ud2; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
          }));
    /* user mode: user page table is the same L4 */
    op.cmd = MMUEXT_NEW_USER_BASEPTR;
    op.arg1.mfn = cr3;
    ok = 0;
    CHECK("new_user_baseptr", hc4(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF));
    if (ok) {
        u64 t[BATCHES];
        for (int b = 0; b < BATCHES; b++) {
            MARK(1);
            u64 s = rdtsc();
            run_user(user_syscalls, ustack_top, 1000);
            t[b] = rdtsc() - s;
            MARK(5);
        }
        report("user syscall round trip", t, 1000);
        for (int b = 0; b < BATCHES; b++) {
            MARK(1);
            u64 s = rdtsc();
            run_user(user_int3, ustack_top, 1000);
            t[b] = rdtsc() - s;
            MARK(5);
        }
        report("user int3 round trip", t, 1000);
        BENCH("enter+leave user mode", 200, run_user(user_syscalls, ustack_top, 1));
    }
}

static void bench_grant(void)
{
    int ok = 0;
    xen_pfn_t frame = 0;
    struct gnttab_setup_table stt = {.dom = DOMID_SELF, .nr_frames = 1};
    set_xen_guest_handle(stt.frame_list, &frame);
    CHECK("gnttab setup_table", hc3(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &stt, 1));
    if (!ok || stt.status) {
        say("HV gnttab status %d\n", (long)stt.status);
        return;
    }
    u64 orig = *pte_of(gnt_va);
    CHECK("map grant table", set_va(gnt_va, frame << 12 | PTE_FLAGS, UVMF_INVLPG | UVMF_LOCAL));
    grant_entry_v1_t *g = (void *)gnt_va;
    for (int k = 8; k < 72; k++) {
        g[k].domid = self;
        g[k].frame = va_mfn(page_a);
        asm volatile("" ::: "memory");
        g[k].flags = GTF_permit_access;
    }
    u64 morig = *pte_of(map_va);
    static struct gnttab_map_grant_ref m[64];
    static struct gnttab_unmap_grant_ref um[64];
    u64 save[64];
    for (int n = 1; n <= 64; n += 63) {
        for (int k = 0; k < n; k++) {
            char *va = n == 1 ? map_va : many[k];
            save[k] = n == 1 ? morig : *pte_of(va);
            m[k] = (struct gnttab_map_grant_ref){
                .host_addr = (u64)va, .flags = GNTMAP_host_map, .ref = 8 + k, .dom = self};
        }
        hc3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, m, n);
        if (m[0].status) {
            say("HV grant map failed %d\n", (long)m[0].status);
            continue;
        }
        for (int k = 0; k < n; k++)
            um[k] =
                (struct gnttab_unmap_grant_ref){.host_addr = m[k].host_addr, .handle = m[k].handle};
        hc3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, um, n);
        BENCH(n == 1 ? "grant map + unmap (host_map)" : "grant map x64 + unmap x64",
              n == 1 ? 500 : 20, ({
                  hc3(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, m, n);
                  for (int k = 0; k < n; k++)
                      um[k].handle = m[k].handle;
                  hc3(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, um, n);
              }));
        if (um[0].status)
            say("HV grant unmap status %d\n", (long)um[0].status);
        for (int k = 0; k < n; k++)
            set_va((void *)m[k].host_addr, save[k], UVMF_INVLPG | UVMF_LOCAL);
    }
    struct gnttab_copy c = {.source.u.gmfn = va_mfn(page_a),
                            .source.domid = DOMID_SELF,
                            .dest.u.gmfn = va_mfn(page_b),
                            .dest.domid = DOMID_SELF,
                            .len = 4096};
    hc3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &c, 1);
    if (c.status)
        say("HV grant copy status %d\n", (long)c.status);
    BENCH("grant copy 4096 B (frames)", 200,
          hc3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &c, 1));
    c.len = 64;
    BENCH("grant copy 64 B (frames)", 500, hc3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &c, 1));
    c.source.u.ref = 8;
    c.source.domid = self;
    c.flags = GNTCOPY_source_gref;
    BENCH("grant copy 64 B (source ref)", 500,
          hc3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &c, 1));
    if (c.status)
        say("HV grant copy by ref status %d\n", (long)c.status);
    static struct gnttab_copy cs[16];
    for (int k = 0; k < 16; k++) {
        cs[k] = c;
        cs[k].len = 1500;
        cs[k].source.u.ref = 8 + k;
    }
    BENCH("grant copy x16 1500 B (source ref)", 50,
          hc3(__HYPERVISOR_grant_table_op, GNTTABOP_copy, cs, 16));
    set_va(gnt_va, orig, UVMF_INVLPG | UVMF_LOCAL);
}

static void bench_memory(void)
{
    xen_pfn_t mfn;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    u64 pfn = va_pfn(many[0]), o = *pte_of(many[0]);
    mfn = p2m[pfn];
    set_va(many[0], 0, UVMF_INVLPG | UVMF_LOCAL);
    long x = 1;
    BENCH("decrease_reservation + populate 1", 200, ({
              set_xen_guest_handle(r.extent_start, &mfn);
              x &= hc2(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, &r);
              mfn = pfn;
              set_xen_guest_handle(r.extent_start, &mfn);
              x &= hc2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r);
          }));
    if (x != 1)
        say("HV memory_op did not return 1\n");
    (void)o;
}

void cmain(start_info_t *s)
{
    si = s;
    p2m = (u64 *)s->mfn_list;
    /* map shared_info */
    set_va(shinfo_va, s->shared_info | PTE_FLAGS, UVMF_INVLPG | UVMF_LOCAL);
    shared = (void *)shinfo_va;
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    traps();
#ifdef SPIN /* a guest that only exists: blocks for ever, taking whatever event its store or       \
               console sends */
    for (;;)
        hc2(__HYPERVISOR_sched_op, SCHEDOP_block, 0);
#endif
    if (hc2(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables))
        say("HV vm_assist failed\n");
    volatile struct vcpu_time_info *ti = &shared->vcpu_info[0].time;
    u64 hz = (1000000000UL << 32) / (ti->tsc_to_system_mul ? ti->tsc_to_system_mul : 1);
    hz = ti->tsc_shift < 0 ? hz << -ti->tsc_shift : hz >> ti->tsc_shift;
    long v = hc2(__HYPERVISOR_xen_version, XENVER_version, 0);
    say("HV INFO %s tsc %u kHz version %u.%u pages %u flags %x\n", s->magic, hz / 1000,
        (u64)(v >> 16), (u64)(v & 0xffff), s->nr_pages, (u64)s->flags);
    say("HV INFO cmdline %s\n", (char *)s->cmd_line);
    bench_model();
    bench_calls();
    bench_events();
    bench_mmu();
    bench_grant();
    bench_memory();
    say("HV INFO gps %u pfs %u\nHV DONE\n", gps, pfs);
    flush();
    struct sched_shutdown sd = {.reason = si->flags & SIF_INITDOMAIN ? SHUTDOWN_reboot
                                                                     : SHUTDOWN_poweroff};
    hc2(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &sd);
    for (;;)
        ;
}
