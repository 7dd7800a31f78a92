/* SPDX-License-Identifier: MIT */
/*
 * Roots on CPUs whose TLBs are tagged (ADR 65). The current vcpu's user root is loaded under tag 0,
 * its kernel root under tag 1; nobody else's translations are under either, since a load of
 * another vcpu's root flushes both.
 *
 * A load flushes its tag unless bit 63 is set. tags[] is what each mode's next load has beside the
 * root: the tag, and bit 63 as long as no flush is owed. So the other tag is flushed by clearing
 * the bit: what is cached under it cannot be used before the load that removes it, and the CPU
 * counts as flushed (MM-5). x86/fast.S switches roots as tags_switch_root() does.
 *
 * No locks: a CPU's tags are its own.
 */
#include <tenue/vcpu.h>

#define TAG_KEEP (1ull << 63)

void tags_switch_root(mfn_t root)
{
    struct cpu *c = this_cpu();
    const bool kernel = c->current && mfn_eq(root, c->current->pv.root_kernel);

    c->root = root;
    hal_cr3_write(mfn_to_maddr(root).a | c->tags[kernel]);
    c->tags[kernel] |= TAG_KEEP;
}

void tags_load_root(mfn_t root)
{
    const uint32_t stamp = tlb_flush_begin();

    tlb_tag_owes(false);
    tlb_tag_owes(true);
    tags_switch_root(root);
    tlb_flush_end(stamp);
}

/* Guests have no global entries, so the two tags are all. */
void tags_invlpg(uint64_t va)
{
    hal_invpcid(0, va);
    hal_invpcid(1, va);
}
