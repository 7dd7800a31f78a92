# SPDX-License-Identifier: MIT
GUESTS += debugreg
GUEST_FLAVOUR_debugreg := high
