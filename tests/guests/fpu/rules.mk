# SPDX-License-Identifier: MIT
GUESTS += fpu
GUEST_FLAVOUR_fpu := high
