# SPDX-License-Identifier: MIT
GUESTS += pin-unpin
GUEST_FLAVOUR_pin-unpin := high
