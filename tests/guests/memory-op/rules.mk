# SPDX-License-Identifier: MIT
GUESTS += memory-op
GUEST_FLAVOUR_memory-op := high
