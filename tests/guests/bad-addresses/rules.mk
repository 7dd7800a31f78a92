# SPDX-License-Identifier: MIT
GUESTS += bad-addresses
GUEST_FLAVOUR_bad-addresses := high
