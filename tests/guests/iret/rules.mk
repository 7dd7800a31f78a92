# SPDX-License-Identifier: MIT
GUESTS += iret
GUEST_FLAVOUR_iret := high
