# SPDX-License-Identifier: MIT
GUESTS += entry-gates
