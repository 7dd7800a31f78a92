# SPDX-License-Identifier: MIT
GUESTS += bad-pointers
GUEST_FLAVOUR_bad-pointers := high
