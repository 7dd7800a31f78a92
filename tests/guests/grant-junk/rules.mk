# SPDX-License-Identifier: MIT
GUESTS += grant-junk
GUEST_FLAVOUR_grant-junk := high
