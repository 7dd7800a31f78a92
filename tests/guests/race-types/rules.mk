# SPDX-License-Identifier: MIT
GUESTS += race-types
