# SPDX-License-Identifier: MIT
GUESTS += entry-bits
