# SPDX-License-Identifier: MIT
GUESTS += two-on-one
