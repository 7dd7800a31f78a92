# SPDX-License-Identifier: MIT
GUESTS += segments
