# SPDX-License-Identifier: MIT
GUESTS += memory-limits
GUEST_FLAVOUR_memory-limits := high
