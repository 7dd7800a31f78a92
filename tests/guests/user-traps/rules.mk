# SPDX-License-Identifier: MIT
GUESTS += user-traps
GUEST_FLAVOUR_user-traps := high
