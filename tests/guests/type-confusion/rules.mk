# SPDX-License-Identifier: MIT
GUESTS += type-confusion
GUEST_FLAVOUR_type-confusion := high
