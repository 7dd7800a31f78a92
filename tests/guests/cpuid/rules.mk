# SPDX-License-Identifier: MIT
GUESTS += cpuid
GUEST_FLAVOUR_cpuid := high
