/* SPDX-License-Identifier: MIT */
/*
 * What the image tells the domain builder, flavour `high`: ELF notes, a kernel in the top 2 GiB
 * and a hypercall page. front_hypercall_page is pre-filled with `ret`, so that a builder which
 * does not fill it makes a call through it harmless and noticed.
 */
#define FRONT_FLAVOUR_VIRT_BASE 0xffffffff80000000
#define FRONT_FLAVOUR_PAGE 1
#include "notes.h"
