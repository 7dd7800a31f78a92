# SPDX-License-Identifier: MIT
GUESTS_DOMU += blk-read
GUEST_FLAVOUR_blk-read := high
