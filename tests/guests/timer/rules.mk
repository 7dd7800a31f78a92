# SPDX-License-Identifier: MIT
GUESTS += timer
GUEST_FLAVOUR_timer := high
