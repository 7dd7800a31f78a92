# SPDX-License-Identifier: MIT
GUESTS += msr-sweep
GUEST_FLAVOUR_msr-sweep := high
