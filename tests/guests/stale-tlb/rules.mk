# SPDX-License-Identifier: MIT
GUESTS += stale-tlb
GUEST_FLAVOUR_stale-tlb := high
