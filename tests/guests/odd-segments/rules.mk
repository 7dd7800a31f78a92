# SPDX-License-Identifier: MIT
GUESTS += odd-segments
GUEST_FLAVOUR_odd-segments := high
