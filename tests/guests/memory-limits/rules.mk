# SPDX-License-Identifier: MIT
GUESTS += memory-limits
