# SPDX-License-Identifier: MIT
GUESTS_DOMU += spin
GUEST_FLAVOUR_spin := high
