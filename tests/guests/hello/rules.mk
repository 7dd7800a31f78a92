# SPDX-License-Identifier: MIT
GUESTS += hello
GUEST_FLAVOUR_hello := high
