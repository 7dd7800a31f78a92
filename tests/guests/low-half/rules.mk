# SPDX-License-Identifier: MIT
GUESTS += low-half
GUEST_FLAVOUR_low-half := low
