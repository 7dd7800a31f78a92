# SPDX-License-Identifier: MIT
GUESTS += foreign-frames
