# SPDX-License-Identifier: MIT
GUESTS += privops
