# SPDX-License-Identifier: MIT
GUESTS += entry-gates
GUEST_FLAVOUR_entry-gates := high
