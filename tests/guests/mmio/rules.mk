# SPDX-License-Identifier: MIT
GUESTS += mmio
GUEST_FLAVOUR_mmio := high
