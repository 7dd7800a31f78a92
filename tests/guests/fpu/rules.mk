# SPDX-License-Identifier: MIT
GUESTS += fpu
