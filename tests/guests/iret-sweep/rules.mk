# SPDX-License-Identifier: MIT
GUESTS += iret-sweep
GUEST_FLAVOUR_iret-sweep := high
