# SPDX-License-Identifier: MIT
GUESTS += grant-map
GUEST_FLAVOUR_grant-map := high
