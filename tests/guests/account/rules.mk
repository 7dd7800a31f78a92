# SPDX-License-Identifier: MIT
GUESTS += account
GUEST_FLAVOUR_account := high
