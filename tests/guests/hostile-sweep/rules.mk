# SPDX-License-Identifier: MIT
GUESTS += hostile-sweep
GUEST_FLAVOUR_hostile-sweep := high
