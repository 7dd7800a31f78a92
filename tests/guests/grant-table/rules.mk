# SPDX-License-Identifier: MIT
GUESTS += grant-table
GUEST_FLAVOUR_grant-table := high
