# SPDX-License-Identifier: MIT
GUESTS += crash-second-vcpu
GUEST_FLAVOUR_crash-second-vcpu := high
