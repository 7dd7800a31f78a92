# SPDX-License-Identifier: MIT
GUESTS += userspace
GUEST_FLAVOUR_userspace := high
