# SPDX-License-Identifier: MIT
GUESTS += stale-tlb
