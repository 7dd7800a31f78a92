# SPDX-License-Identifier: MIT
GUESTS += crash-bad-stack
GUEST_FLAVOUR_crash-bad-stack := high
