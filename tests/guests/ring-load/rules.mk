# SPDX-License-Identifier: MIT
GUESTS_DOMU += ring-load
GUEST_FLAVOUR_ring-load := high
