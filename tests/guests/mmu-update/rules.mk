# SPDX-License-Identifier: MIT
GUESTS += mmu-update
