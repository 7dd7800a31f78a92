# SPDX-License-Identifier: MIT
GUESTS += smp-storm
GUEST_FLAVOUR_smp-storm := high
