# SPDX-License-Identifier: MIT
GUESTS += two-on-one
GUEST_FLAVOUR_two-on-one := high
