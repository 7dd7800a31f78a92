# SPDX-License-Identifier: MIT
GUESTS += mmu-update
GUEST_FLAVOUR_mmu-update := high
