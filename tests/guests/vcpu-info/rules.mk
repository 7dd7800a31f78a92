# SPDX-License-Identifier: MIT
GUESTS += vcpu-info
GUEST_FLAVOUR_vcpu-info := high
