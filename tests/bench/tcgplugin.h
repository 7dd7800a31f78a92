/* SPDX-License-Identifier: MIT */
/*
 * The emulator's plugin interface, version 1 (QEMU 6.0 to 8.x), as far as ours use it; repeated
 * here because Debian packages no header. What it calls a vcpu is an emulated processor, a tb a
 * block of code that it has translated.
 */
#ifndef TESTS_BENCH_TCGPLUGIN_H
#define TESTS_BENCH_TCGPLUGIN_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t plugin_id;
struct tb;
struct insn;
typedef void (*tb_cb)(plugin_id, struct tb *);
typedef void (*exec_cb)(unsigned cpu, void *);
typedef void (*exit_cb)(plugin_id, void *);

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, tb_cb);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct tb *, exec_cb, int flags, void *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct tb *, int op, void *p, uint64_t imm);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct insn *, exec_cb, int flags, void *);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct insn *, int op, void *p,
                                                       uint64_t imm);
extern void qemu_plugin_register_atexit_cb(plugin_id, exit_cb, void *);
extern size_t qemu_plugin_tb_n_insns(const struct tb *);
extern struct insn *qemu_plugin_tb_get_insn(const struct tb *, size_t);
extern uint64_t qemu_plugin_tb_vaddr(const struct tb *);
extern const void *qemu_plugin_insn_data(const struct insn *);
extern size_t qemu_plugin_insn_size(const struct insn *);
extern uint64_t qemu_plugin_insn_vaddr(const struct insn *);

/* What each plugin offers; plugin_version is TCGPLUGIN_VERSION. */
#define EXPORT __attribute__((visibility("default")))
#define TCGPLUGIN_VERSION 1
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);
EXPORT extern int qemu_plugin_version;

/* The part of the address space that the ABI reserves for the hypervisor. */
#define HYPERVISOR_START 0xffff800000000000u
#define HYPERVISOR_END 0xffff880000000000u

#endif
