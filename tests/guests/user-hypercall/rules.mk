# SPDX-License-Identifier: MIT
GUESTS += user-hypercall
