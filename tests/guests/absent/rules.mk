# SPDX-License-Identifier: MIT
GUESTS += absent
GUEST_FLAVOUR_absent := high
