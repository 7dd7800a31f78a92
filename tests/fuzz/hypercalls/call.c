/* SPDX-License-Identifier: MIT */
/*
 * From a description to a call (call.h): values, structures in guest memory, results.
 *
 * Everything is mostly plausible. One value in a few dozen is noise instead, one pointer in a
 * hundred leads nowhere, one batch in twenty is long. What would end the machine on purpose - the
 * control domain shutting itself down - is never asked for.
 */
#include "call.h"

#include <string.h>

#include <tenue/hypercall.h>
#include <tenue/percpu.h>

#define STRUCT_MAX 1300u
#define LIST_MAX 40u

/* --- room in the guest's own memory --- */

static uint64_t room(struct call *c, uint64_t size)
{
    const uint64_t at = c->at;

    c->at = (at + size + 7) & ~7ull;
    if (c->at > c->end)
        c->at = at; /* full: on top of the last one, which is only another hostile thing */
    return at;
}

static void put(struct call *c, uint64_t va, const void *p, uint64_t size)
{
    if (hal_copy_to_guest(va, p, size) != 0)
        c->unreachable = true;
}

static void get(void *p, uint64_t va, uint64_t size)
{
    void (*hook)(uint64_t, uint64_t) = fake_metal.after_guest_read;

    memset(p, 0, size);
    fake_metal.after_guest_read = NULL;
    if (hal_copy_from_guest(p, va, size) != 0)
        memset(p, 0, size);
    fake_metal.after_guest_read = hook;
}

/* --- values --- */

static uint64_t few_bits(uint64_t mask)
{
    return one_in(2) ? 0 : any64() & mask;
}

static struct actor *some_actor(const struct call *c, unsigned first)
{
    struct actor *a = &actors[first + pick(ACTORS - first)];

    return a == c->a ? &actors[first + pick(ACTORS - first)] : a;
}

/* In the middle of another's call: of anybody but him, who could not be stopped there. */
static uint64_t some_guest_but(struct call *c)
{
    for (unsigned i = 0; i < ACTORS; i++) {
        c->other = &actors[1 + pick(ACTORS - 1)];
        if (c->other->domid != c->spare_domid)
            return c->other->domid;
    }
    return 20 + pick(4);
}

static uint64_t some_guest(struct call *c)
{
    if (c->nested)
        return some_guest_but(c);
    c->other = some_actor(c, 1);
    return one_in(3) ? 20 + pick(2) : c->other->domid;
}

static uint64_t offerer(struct call *c)
{
    for (unsigned i = 0; i < ACTORS; i++) {
        c->other = &actors[(pick(ACTORS) + i) % ACTORS];
        if (c->other->offer.port && c->other->offer.domid == c->a->domid)
            break;
    }
    return c->other->domid;
}

/* Is this side of a copy (1: source, 2: destination) a frame of our own? */
static bool own_side(const struct call *c, uint64_t side)
{
    return side && !(c->flags & (side == 1 ? GNTCOPY_source_gref : GNTCOPY_dest_gref));
}

/* A reference, mostly one that its owner gave to us. */
static uint64_t grant_ref(struct call *c, uint64_t side)
{
    const struct domain *d = c->other->d;

    if (own_side(c, side))
        return c->a->frames[TYPED + pick(4)].n;
    if (one_in(32))
        return any64();
    for (unsigned i = 0; d && i < 8; i++) {
        const unsigned ref = pick(REFS);

        if (d->grant.frame[0].shared[ref].domid == c->a->domid)
            return ref;
    }
    return pick(REFS);
}

static uint64_t map_addr(const struct call *c)
{
    const unsigned hole = HOLES + pick(4);

    if (c->flags & GNTMAP_contains_pte)
        return mfn_to_maddr(c->a->frames[L1]).a + hole * 8;
    return one_in(16) ? some_va() : guest_va_at(hole);
}

static uint64_t handle_value(struct call *c, enum kind kind)
{
    switch (kind) {
    case K_HANDLE:
        for (unsigned i = 0; i < 4; i++) {
            c->map = pick(HANDLES);
            if (c->a->maps[c->map].handle != GHANDLE_NONE)
                break;
        }
        return c->a->maps[c->map].handle;
    case K_HANDLE_ADDR:
        return one_in(4) ? 0 : c->a->maps[c->map].host_addr;
    default:
        return one_in(4) ? 0 : c->a->maps[c->map].bus_addr;
    }
}

static uint64_t frame_value(const struct call *c, enum kind kind)
{
    const struct actor *a = c->a;

    switch (kind) {
    case K_MFN:
        return some_mfn(c->other ? c->other : a).n;
    case K_TABLE:
        return (one_in(8) ? some_mfn(a) : a->frames[pick(one_in(3) ? TYPED : 12)]).n;
    case K_ROOT_OR_NONE:
        if (one_in(4))
            return 0;
        __attribute__((fallthrough));
    case K_ROOT:
        return (one_in(6) ? some_table(a)
                          : a->frames[one_in(3)   ? OTHER_L4
                                      : one_in(2) ? USER_L4
                                                  : L4])
            .n;
    case K_OWN:
        return (one_in(6) ? some_mfn(a) : a->frames[TYPED + pick(4)]).n;
    case K_PTE_AT:
        return mfn_to_maddr(one_in(2) ? a->frames[L1] : some_mfn(a)).a + some_slot() * 8 +
               (one_in(4) ? pick(8) : 0);
    case K_M2P_AT:
        return mfn_to_maddr(some_mfn(a)).a + MMU_MACHPHYS_UPDATE;
    case K_DESC_AT:
        return mfn_to_maddr(one_in(2) ? some_mfn(a) : a->frames[SPARE + pick(4)]).a + pick(512) * 8;
    default:
        return some_pte(a);
    }
}

static uint64_t address_value(enum kind kind)
{
    switch (kind) {
    case K_VA:
        return some_va();
    case K_PAGE_VA:
        return some_va() & PAGE_MASK;
    case K_CODE:
        return one_in(4) ? any64() : guest_va_at(pick(FRAMES));
    default: /* K_UVMF */
        return one_in(8) ? any64() : (uint64_t)pick(3) | (one_in(2) ? UVMF_ALL : 0);
    }
}

static uint64_t domain_value(struct call *c, enum kind kind, uint64_t p)
{
    switch (kind) {
    case K_SELF:
        if (!one_in(c->a->d->is_control ? 2 : 8))
            return DOMID_SELF;
        c->other = some_actor(c, 0); /* alive or not */
        return c->other->domid;
    case K_OTHER:
        c->other = some_actor(c, 0);
        return own_side(c, p) || one_in(16) ? DOMID_SELF : c->other->domid;
    case K_FOREIGN:
        if (!c->a->d->is_control)
            return one_in(32) ? any64() : DOMID_SELF;
        c->other = some_actor(c, 1);
        return one_in(2) ? DOMID_SELF
                         : c->other->domid | (one_in(4) ? (c->other->domid + 1u) << 16 : 0);
    case K_GUEST:
        return some_guest(c);
    default: /* K_SPARE */
        return one_in(4) ? 0 : 20 + pick(2);
    }
}

static uint64_t port_value(struct call *c, enum kind kind)
{
    switch (kind) {
    case K_PORT:
        return one_in(8) ? any64() : c->a->ports[pick(PORTS)] + one_in(16);
    case K_OFFERER:
        return offerer(c);
    default:
        return one_in(16) ? pick(10) : c->other->offer.port;
    }
}

/* --- pointers to more --- */

static uint64_t list_of_frames(struct call *c, unsigned n)
{
    uint64_t list[LIST_MAX];

    for (unsigned i = 0; i < n; i++)
        list[i] = (one_in(4) ? some_mfn(c->a) : c->a->frames[SPARE + pick(4)]).n;
    c->list_count = n;
    c->list_va = room(c, n * sizeof(list[0]));
    put(c, c->list_va, list, n * sizeof(list[0]));
    return c->list_va;
}

static uint64_t list_of_ports(struct call *c, unsigned n)
{
    uint32_t list[LIST_MAX];
    uint64_t va;

    for (unsigned i = 0; i < n; i++)
        list[i] = (uint32_t)port_value(c, K_PORT);
    va = room(c, n * sizeof(list[0]));
    put(c, va, list, n * sizeof(list[0]));
    return va;
}

static uint64_t context(struct call *c)
{
    static vcpu_guest_context_t ctx;
    const struct actor *a = c->other && c->a->d->is_control ? c->other : c->a;
    uint64_t va = room(c, sizeof(ctx));

    memset(&ctx, 0, sizeof(ctx));
    ctx.flags = one_in(3) ? VGCF_online : VGCF_in_kernel | VGCF_online;
    ctx.ctrlreg[3] =
        xen_pfn_to_cr3((one_in(8) ? some_mfn(a) : a->frames[one_in(2) ? OTHER_L4 : L4]).n);
    ctx.ctrlreg[1] = one_in(4) ? 0 : xen_pfn_to_cr3(a->frames[USER_L4].n);
    ctx.gdt_ents = one_in(2) ? 0 : pick(1100);
    for (unsigned i = 0; i < 3; i++)
        ctx.gdt_frames[i] = a->frames[SPARE + pick(4)].n;
    ctx.ldt_base = one_in(2) ? 0 : guest_va_at(pick(TYPED));
    ctx.ldt_ents = one_in(2) ? 0 : pick(600);
    ctx.kernel_sp = guest_va_at(HOLES);
    ctx.user_regs.rip = one_in(8) ? any64() : GUEST_BASE;
    ctx.user_regs.rflags = any64();
    ctx.debugreg[7] = one_in(8) ? any64() : 0;
    ctx.gs_base_user = one_in(8) ? any64() : 0;
    ctx.vm_assist = any64();
    put(c, va, &ctx, sizeof(ctx));
    return va;
}

static uint64_t buffer(struct call *c, uint64_t size)
{
    const uint64_t va = room(c, size), mask = any64();

    put(c, va, &mask, MIN(size, sizeof(mask)));
    return va;
}

static void build(struct call *c, const struct op *op, uint64_t regs[4]);

static uint64_t list_of_calls(struct call *c, unsigned n)
{
    const uint64_t va = room(c, n * sizeof(struct multicall_entry));
    const struct op *outer = c->op;

    for (unsigned i = 0; i < n; i++) {
        struct multicall_entry e = {0};
        const struct op *op = some_op(c);
        uint64_t regs[4] = {0};

        build(c, op, regs);
        e.op = op->nr;
        for (unsigned k = 0; k < 4; k++)
            e.args[k] = regs[k];
        put(c, va + i * sizeof(e), &e, sizeof(e));
    }
    c->op = outer;
    return va;
}

static uint64_t structures(struct call *c);

static uint64_t pointer_value(struct call *c, enum kind kind, uint64_t p)
{
    if (one_in(100))
        return any64();
    switch (kind) {
    case K_ARG:
        return structures(c);
    case K_DONE:
        return one_in(4) ? 0 : room(c, 8);
    case K_MFNS:
        return list_of_frames(c, (unsigned)p);
    case K_PORTS:
        return list_of_ports(c, (unsigned)p);
    case K_CONTEXT:
        return context(c);
    case K_CALLS:
        return list_of_calls(c, (unsigned)p);
    default: /* K_BUF */
        return buffer(c, p);
    }
}

static uint64_t number_value(struct call *c, enum kind kind, uint64_t p)
{
    switch (kind) {
    case K_CONST:
        return p;
    case K_BELOW:
        return pick((uint32_t)p);
    case K_BITS:
        return few_bits(p);
    case K_TIME:
        return fake_time + pick(2000) * 1000000ull - NS_PER_SEC;
    case K_VCPU:
        return pick(VCPUS + 1);
    case K_COUNT:
        return one_in(100) ? any64() & 0xffff : c->count;
    case K_GREF:
        return grant_ref(c, p);
    case K_COPY_FLAGS:
        c->flags = pick(4);
        return c->flags;
    case K_MAP_FLAGS:
        c->flags = one_in(8)
                       ? pick(64)
                       : GNTMAP_host_map | (pick(32) & (GNTMAP_readonly | GNTMAP_device_map |
                                                        (one_in(4) ? GNTMAP_contains_pte : 0)));
        return c->flags;
    case K_MAP_ADDR:
        return map_addr(c);
    default:
        return any64();
    }
}

static uint64_t value(struct call *c, enum kind kind, uint64_t p)
{
    if (kind > K_CONST && kind < K_ARG && kind != K_GUEST && one_in(48) && c->op->who != CONTROL)
        return any64();
    if (kind >= OUT_PORT)
        return 0;
    if (kind >= K_ARG && kind != K_COUNT)
        return pointer_value(c, kind, p);
    if (kind >= K_MFN && kind <= K_DESC)
        return kind == K_DESC ? (one_in(2) ? any64() : 0x00cff3000000ffffull)
                              : frame_value(c, kind);
    if (kind >= K_VA && kind <= K_CODE)
        return address_value(kind);
    if (kind >= K_SELF && kind <= K_SPARE)
        return domain_value(c, kind, p);
    if (kind >= K_PORT && kind <= K_OFFERED)
        return port_value(c, kind);
    if (kind >= K_HANDLE && kind <= K_HANDLE_BUS)
        return handle_value(c, kind);
    return number_value(c, kind, p);
}

/* --- structures --- */

static void structure(struct call *c, uint8_t *at)
{
    memset(at, 0, c->op->size);
    for (unsigned i = 0; i < FIELDS_MAX; i++) {
        const struct field *f = &c->op->fields[i];
        uint64_t v;

        if (!f->size || f->kind >= OUT_PORT)
            continue;
        v = value(c, (enum kind)f->kind, f->p);
        memcpy(at + f->at, &v, f->size);
    }
}

static uint64_t structures(struct call *c)
{
    const struct op *op = c->op;
    uint8_t one[STRUCT_MAX];
    uint64_t va;

    if (!op->size) /* an operation without structures, or whose only one is special */
        return op->fields[0].kind == K_CONTEXT ? context(c) : 0;
    c->count = 1 + pick(op->count);
    if (op->count > 1 && one_in(20))
        c->count = LIST_MAX;
    va = room(c, (uint64_t)op->size * (c->count + (op->nr == __HYPERVISOR_set_trap_table)));
    c->arg_va = va;
    for (unsigned i = 0; i < c->count; i++) {
        structure(c, one);
        put(c, va + (uint64_t)i * op->size, one, op->size);
    }
    if (op->nr == __HYPERVISOR_set_trap_table) {
        memset(one, 0, op->size);
        put(c, va + (uint64_t)c->count * op->size, one, op->size);
    }
    return va;
}

static void build(struct call *c, const struct op *op, uint64_t regs[4])
{
    c->op = op;
    c->other = c->a;
    c->arg_va = c->list_va = 0;
    c->count = c->list_count = 0;
    for (unsigned i = 0; i < 4; i++)
        if (op->reg[i].kind || op->reg[i].p)
            regs[i] = value(c, (enum kind)op->reg[i].kind, op->reg[i].p);
}

/* --- results --- */

static bool succeeded(const struct call *c, long rc)
{
    int16_t status = 0;

    if (c->op->success == WHEN_STATUS && rc == 0)
        get(&status, c->arg_va + c->op->status_at, sizeof(status));
    if (c->op->success == WHEN_REFUSED)
        return rc < 0;
    return c->op->success == WHEN_POSITIVE ? rc > 0 : rc >= 0 && status == 0;
}

static void remember_map(struct call *c)
{
    struct gnttab_map_grant_ref m;
    unsigned i = 0;

    while (i < HANDLES - 1 && c->a->maps[i].handle != GHANDLE_NONE)
        i++;

    get(&m, c->arg_va, sizeof(m));
    c->a->maps[i].handle = m.handle;
    c->a->maps[i].host_addr = m.host_addr;
    c->a->maps[i].bus_addr = m.dev_bus_addr;
}

static void remember_frames(struct call *c)
{
    uint64_t list[LIST_MAX] = {0};

    get(list, c->list_va, c->list_count * sizeof(list[0]));
    for (unsigned i = 0; i < c->list_count; i++)
        if (list[i] < frame_count && page_owner(mfn_make(list[i])) == c->a->domid)
            c->a->frames[SPARE + i % 4] = mfn_make(list[i]);
}

static void remember(struct call *c)
{
    for (unsigned i = 0; i < FIELDS_MAX; i++) {
        const struct field *f = &c->op->fields[i];
        uint32_t v;

        if (f->kind < OUT_PORT)
            continue;
        if (f->kind == OUT_HANDLE) {
            remember_map(c);
        } else if (f->kind == OUT_MFNS) {
            remember_frames(c);
        } else if (f->kind == OUT_UNMAPPED) {
            c->a->maps[c->map].handle = one_in(4) ? c->a->maps[c->map].handle : GHANDLE_NONE;
        } else {
            get(&v, c->arg_va + f->at, sizeof(v));
            c->a->ports[pick(PORTS)] = v;
            if (f->kind == OUT_OFFER && c->other) {
                c->a->offer.port = v;
                c->a->offer.domid = c->other->domid;
            }
        }
    }
}

static bool allowed(const struct call *c, const struct op *op)
{
    if (c->op && op->nr == __HYPERVISOR_multicall)
        return false; /* none within another */
    if (op->who == CONTROL)
        return c->a->d->is_control;
    return op->who != GUESTS || !c->a->d->is_control;
}

const struct op *some_op(const struct call *c)
{
    unsigned total = 0, r, i;

    for (i = 0; i < op_count; i++)
        total += ops[i].weight;
    do {
        r = pick(total);
        for (i = 0; r >= ops[i].weight; i++)
            r -= ops[i].weight;
    } while (!allowed(c, &ops[i]) && !choices_spent());
    return allowed(c, &ops[i]) ? &ops[i] : &ops[0];
}

long call_run(struct call *c, const struct op *op)
{
    const unsigned first = c->nested ? ARGS_NESTED : ARGS;
    uint64_t regs[4] = {0};
    long rc;

    c->at = guest_va_at(first);
    c->end = guest_va_at(first + ARGS_PAGES);
    build(c, op, regs);
    if (c->unreachable && c->a->d->is_control)
        return 0; /* it would ask for what stood there before, which may be the machine's end */
    rc = fake_hypercall(op->nr, regs[0], regs[1], regs[2], regs[3]);
    tallies[op - ops].tried++;
    if (!succeeded(c, rc) || !c->a->d)
        return rc;
    tallies[op - ops].done++;
    remember(c);
    return rc;
}
