# SPDX-License-Identifier: MIT
GUESTS += entry-bits
GUEST_FLAVOUR_entry-bits := high
