# SPDX-License-Identifier: MIT
GUESTS += crash-stack-edge
GUEST_FLAVOUR_crash-stack-edge := high
