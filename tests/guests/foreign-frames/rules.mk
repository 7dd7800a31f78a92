# SPDX-License-Identifier: MIT
GUESTS += foreign-frames
GUEST_FLAVOUR_foreign-frames := high
