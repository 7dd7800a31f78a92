# SPDX-License-Identifier: MIT
GUESTS += segments
GUEST_FLAVOUR_segments := high
