# SPDX-License-Identifier: MIT
GUESTS += user-traps
