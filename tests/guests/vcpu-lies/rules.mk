# SPDX-License-Identifier: MIT
GUESTS += vcpu-lies
GUEST_FLAVOUR_vcpu-lies := high
