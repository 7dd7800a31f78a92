# SPDX-License-Identifier: MIT
GUESTS += mmio
