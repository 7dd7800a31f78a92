# SPDX-License-Identifier: MIT
GUESTS += smp
GUEST_FLAVOUR_smp := high
