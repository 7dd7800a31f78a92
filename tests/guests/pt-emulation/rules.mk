# SPDX-License-Identifier: MIT
GUESTS += pt-emulation
GUEST_FLAVOUR_pt-emulation := high
