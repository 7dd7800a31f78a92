/* SPDX-License-Identifier: MIT */
/*
 * count: an emulator plugin that counts the hypervisor's instructions, processor by processor, in a
 * file that whoever stops the machine looks into (labs/step).
 *
 * Argument: out=FILE, of CPUS_MAX numbers of eight bytes. Only the hypervisor's addresses are
 * instrumented: guests run at full speed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tests/bench/tcgplugin.h"

#define CPUS_MAX 64

int qemu_plugin_version = TCGPLUGIN_VERSION;

static volatile uint64_t *counts;

/* A processor's number is its own: no other thread writes it. */
static void executed(unsigned cpu, void *unused)
{
    (void)unused;
    if (cpu < CPUS_MAX)
        counts[cpu]++;
}

static void translated(plugin_id id, struct tb *tb)
{
    const uint64_t address = qemu_plugin_tb_vaddr(tb);

    (void)id;
    if (address < HYPERVISOR_START || address >= HYPERVISOR_END)
        return;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
        qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, i), executed, 0, NULL);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    const char *path = argc == 1 && !strncmp(argv[0], "out=", 4) ? argv[0] + 4 : "";
    const size_t size = CPUS_MAX * sizeof(*counts);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    void *map = MAP_FAILED;

    (void)info;
    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        fprintf(stderr, "count: cannot use '%s': give out=FILE\n", path);
        return -1;
    }
    close(fd);
    counts = map;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
