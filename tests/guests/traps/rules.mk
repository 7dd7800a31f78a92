# SPDX-License-Identifier: MIT
GUESTS += traps
