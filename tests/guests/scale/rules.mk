# SPDX-License-Identifier: MIT
GUESTS_DOMU += scale
GUEST_FLAVOUR_scale := high
