# SPDX-License-Identifier: MIT
GUESTS += odd-segments
