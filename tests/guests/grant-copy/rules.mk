# SPDX-License-Identifier: MIT
GUESTS += grant-copy
GUEST_FLAVOUR_grant-copy := high
