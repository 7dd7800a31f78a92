/* SPDX-License-Identifier: MIT */
/*
 * Flavour `low`: ELF notes, a kernel in the lower half with virtual base 0, and no hypercall page
 * at all: every hypercall is a bare `syscall`, as with guests that bring their own.
 */
#define FRONT_FLAVOUR_VIRT_BASE 0
#define FRONT_FLAVOUR_PAGE 0
#include "notes.h"
