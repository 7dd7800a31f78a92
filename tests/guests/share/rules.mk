# SPDX-License-Identifier: MIT
GUESTS_DOMU += share
GUEST_FLAVOUR_share := high
