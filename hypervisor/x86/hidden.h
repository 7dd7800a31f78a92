/* SPDX-License-Identifier: MIT */
/* Included before every C file on metal: the image is one link, so no symbol needs the GOT. */
#pragma GCC visibility push(hidden)
