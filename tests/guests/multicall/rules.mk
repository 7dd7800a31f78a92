# SPDX-License-Identifier: MIT
GUESTS += multicall
