# SPDX-License-Identifier: MIT
GUESTS += crash-no-user-root
GUEST_FLAVOUR_crash-no-user-root := high
