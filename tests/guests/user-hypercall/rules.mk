# SPDX-License-Identifier: MIT
GUESTS += user-hypercall
GUEST_FLAVOUR_user-hypercall := high
