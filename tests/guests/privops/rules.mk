# SPDX-License-Identifier: MIT
GUESTS += privops
GUEST_FLAVOUR_privops := high
