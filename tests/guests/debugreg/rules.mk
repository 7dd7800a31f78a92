# SPDX-License-Identifier: MIT
GUESTS += debugreg
