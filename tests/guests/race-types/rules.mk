# SPDX-License-Identifier: MIT
GUESTS += race-types
GUEST_FLAVOUR_race-types := high
