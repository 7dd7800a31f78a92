# SPDX-License-Identifier: MIT
GUESTS += multicall
GUEST_FLAVOUR_multicall := high
