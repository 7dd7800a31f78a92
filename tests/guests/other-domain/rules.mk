# SPDX-License-Identifier: MIT
GUESTS += other-domain
GUEST_FLAVOUR_other-domain := high
