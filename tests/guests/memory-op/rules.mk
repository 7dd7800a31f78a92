# SPDX-License-Identifier: MIT
GUESTS += memory-op
