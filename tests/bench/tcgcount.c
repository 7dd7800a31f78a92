/* SPDX-License-Identifier: MIT */
/*
 * tcgcount: an emulator plugin that counts instructions by whose they are, and the costly events
 * that a plain count hides.
 *
 * Areas are told by address: a PV kernel and its programs both run in ring 3, and the hypervisor
 * alone runs in the region that the ABI reserves for it (0xffff8000_00000000 up to
 * 0xffff8800_00000000). Low addresses are the firmware's until the first block in the hypervisor's
 * load range, the hypervisor's (its start-up code before its own page tables) until the first block
 * of a kernel, and programs' after that.
 *
 * Output, one line each on out=FILE:
 *
 *	B name count...		since reset, at mark 3 (user space reached)
 *	P			mark 4: the next phase starts
 *	w name count...		a batch: mark 1 begins, mark 5 ends
 *	W			a row: its batches are the lines since the last; mark 2,
 *				which also ends a batch that is under way
 *	H what address count	with hist=1, before its batch's line, by address: the
 *				hypervisor's instructions (hyp, by block), CR3 loads, INVLPG;
 *				with hist=all the kernels' and the programs' as well
 *	TOTAL name count...
 *
 * One virtual processor, so plain counters do.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcgplugin.h"

int qemu_plugin_version = TCGPLUGIN_VERSION;

/* Where multiboot images are put; the firmware runs below, and at the top of memory. */
#define LOAD_START 0x100000u
#define LOAD_END 0x4000000u

enum counter {
    FIRMWARE,
    HYP,
    KERN,
    USER,
    CR3,
    INVLPG,
    IRET,
    SYSRET,
    SYSCALL,
    MSR,
    IO,
    HLT,
    COUNTERS
};
static const char *const names[COUNTERS] = {"firmware", "hyp",    "kern", "user",
                                            "cr3",      "invlpg", "iret", "sysret",
                                            "syscall",  "msr",    "io",   "hlt"};
enum stage { IN_FIRMWARE, IN_LOADED_IMAGE, IN_SYSTEM };

static uint64_t count[COUNTERS], opened[COUNTERS];
static enum stage stage;
static FILE *out;

/* Blocks of the hypervisor and its costly instructions, for hist=1. Never moved: the emulated code
 * adds to them by address. */
#define BLOCKS_MAX (1u << 20)
struct block {
    uint64_t address, count, opened;
    enum counter what;
};
static struct block *blocks;
static size_t blocks_used;
static bool everybody; /* hist=all */

static struct block *block_add(enum counter what, uint64_t address)
{
    struct block *b;

    if (!blocks || blocks_used == BLOCKS_MAX)
        return NULL;
    b = &blocks[blocks_used++];
    b->what = what;
    b->address = address;
    return b;
}

static void print_counters(const char *kind, const uint64_t *since)
{
    fputs(kind, out);
    for (int i = 0; i < COUNTERS; i++)
        fprintf(out, " %s %" PRIu64, names[i], count[i] - (since ? since[i] : 0));
    fputc('\n', out);
}

static bool in_batch;

static void batch_begin(void)
{
    in_batch = true;
    memcpy(opened, count, sizeof(opened));
    for (size_t i = 0; i < blocks_used; i++)
        blocks[i].opened = blocks[i].count;
}

static void batch_end(void)
{
    in_batch = false;
    for (size_t i = 0; i < blocks_used; i++) {
        if (blocks[i].count != blocks[i].opened)
            fprintf(out, "H %s %#" PRIx64 " %" PRIu64 "\n", names[blocks[i].what],
                    blocks[i].address, blocks[i].count - blocks[i].opened);
    }
    print_counters("w", opened);
}

static void mark(unsigned cpu, void *which)
{
    (void)cpu;
    switch ((uintptr_t)which) {
    case 1:
        batch_begin();
        break;
    case 5:
        batch_end();
        break;
    case 2:
        if (in_batch)
            batch_end();
        fputs("W\n", out);
        break;
    case 3:
        print_counters("B", NULL);
        break;
    case 4:
        fputs("P\n", out);
        break;
    }
}

static bool is_mark(const uint8_t *b, size_t length)
{
    static const uint8_t nop[4] = {0x0f, 0x1f, 0x84, 0x00};

    return length == 8 && !memcmp(b, nop, sizeof(nop)) && b[6] == 0x45 && b[7] == 0x54;
}

/* Which costly event this instruction is, or -1. */
static int event(const uint8_t *b, size_t length)
{
    while (length > 1 &&
           (*b == 0xf3 || *b == 0xf2 || *b == 0x66 || *b == 0x2e || (*b & 0xf0) == 0x40)) {
        b++;
        length--;
    }
    if (b[0] == 0xcf)
        return IRET;
    if (b[0] == 0xf4)
        return HLT;
    if ((b[0] >= 0xe4 && b[0] <= 0xe7) || (b[0] >= 0xec && b[0] <= 0xef) ||
        (b[0] >= 0x6c && b[0] <= 0x6f))
        return IO;
    if (length < 2 || b[0] != 0x0f)
        return -1;
    if (b[1] == 0x22 && length > 2 && (b[2] & 0x38) == 0x18)
        return CR3;
    if (b[1] == 0x01 && length > 2 && (b[2] & 0x38) == 0x38 && b[2] < 0xc0)
        return INVLPG;
    if (b[1] == 0x07)
        return SYSRET;
    if (b[1] == 0x05)
        return SYSCALL;
    if (b[1] == 0x30 || b[1] == 0x32)
        return MSR;
    return -1;
}

static enum counter area(uint64_t address)
{
    if (address >> 63) {
        bool hypervisor = address >= HYPERVISOR_START && address < HYPERVISOR_END;

        if (!hypervisor)
            stage = IN_SYSTEM;
        return hypervisor ? HYP : KERN;
    }
    if (stage == IN_FIRMWARE && address >= LOAD_START && address < LOAD_END)
        stage = IN_LOADED_IMAGE;
    return stage == IN_FIRMWARE ? FIRMWARE : stage == IN_LOADED_IMAGE ? HYP : USER;
}

static void translate(plugin_id id, struct tb *tb)
{
    uint64_t address = qemu_plugin_tb_vaddr(tb);
    size_t length = qemu_plugin_tb_n_insns(tb);
    enum counter owner = area(address);
    struct block *b;

    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, 0, &count[owner], length);
    b = owner == HYP || everybody ? block_add(owner, address) : NULL;
    if (b)
        qemu_plugin_register_vcpu_tb_exec_inline(tb, 0, &b->count, length);
    for (size_t i = 0; i < length; i++) {
        struct insn *in = qemu_plugin_tb_get_insn(tb, i);
        const uint8_t *bytes = qemu_plugin_insn_data(in);
        size_t size = qemu_plugin_insn_size(in);
        int e = event(bytes, size);

        if (e >= 0)
            qemu_plugin_register_vcpu_insn_exec_inline(in, 0, &count[e], 1);
        b = e == CR3 || e == INVLPG ? block_add((enum counter)e, qemu_plugin_insn_vaddr(in)) : NULL;
        if (b)
            qemu_plugin_register_vcpu_insn_exec_inline(in, 0, &b->count, 1);
        if (is_mark(bytes, size))
            qemu_plugin_register_vcpu_insn_exec_cb(in, mark, 0, (void *)(uintptr_t)bytes[4]);
    }
}

static void finish(plugin_id id, void *p)
{
    (void)id;
    (void)p;
    print_counters("TOTAL", NULL);
    fclose(out);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    const char *path = "/dev/stderr";

    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4))
            path = argv[i] + 4;
        everybody |= !strcmp(argv[i], "hist=all");
        if (everybody || !strcmp(argv[i], "hist=1") || !strcmp(argv[i], "hist=on"))
            blocks = calloc(BLOCKS_MAX, sizeof(*blocks));
    }
    out = fopen(path, "w");
    if (!out) {
        perror(path);
        return 1;
    }
    setvbuf(out, NULL, _IOLBF, 0);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_atexit_cb(id, finish, NULL);
    return 0;
}
