# SPDX-License-Identifier: MIT
GUESTS += traps
GUEST_FLAVOUR_traps := high
