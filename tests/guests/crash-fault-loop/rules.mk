# SPDX-License-Identifier: MIT
GUESTS += crash-fault-loop
GUEST_FLAVOUR_crash-fault-loop := high
