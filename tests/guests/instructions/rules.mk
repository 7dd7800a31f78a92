# SPDX-License-Identifier: MIT
GUESTS += instructions
