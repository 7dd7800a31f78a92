/* SPDX-License-Identifier: MIT */
/* Makes small PV kernel images, honest ones and liars, for the toolstack's tests. */
#ifndef TENUE_TEST_IMAGEGEN_H
#define TENUE_TEST_IMAGEGEN_H

#include <stddef.h>
#include <stdint.h>

#include "../../toolstack/unpack.h"

enum gen_style { GEN_LINUX, GEN_LOW, GEN_LEGACY, GEN_NO_NOTES };

enum { GEN_ROOM = 64 * 1024 };

/*
 * GEN_LINUX: notes like Linux's (VIRT_BASE -2 GiB, INIT_P2M, MOD_START_PFN), loaded at 1 MiB.
 * GEN_LOW: notes with VIRT_BASE 0, a hypercall page, nothing else. GEN_LEGACY: only a __xen_guest
 * section. GEN_NO_NOTES: an ordinary program. Returns the length; buf has GEN_ROOM bytes.
 */
size_t gen_elf(enum gen_style style, uint8_t *buf);

/* Wraps an ELF image into a bzImage whose payload is packed this way; returns the length or 0. */
size_t gen_bzimage(enum pack_kind kind, const uint8_t *elf, size_t len, uint8_t *buf, size_t room);

#endif
