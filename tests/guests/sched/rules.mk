# SPDX-License-Identifier: MIT
GUESTS += sched
GUEST_FLAVOUR_sched := high
