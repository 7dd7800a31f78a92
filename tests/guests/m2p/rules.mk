# SPDX-License-Identifier: MIT
GUESTS += m2p
GUEST_FLAVOUR_m2p := high
