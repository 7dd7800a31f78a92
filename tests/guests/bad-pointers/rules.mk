# SPDX-License-Identifier: MIT
GUESTS += bad-pointers
