# SPDX-License-Identifier: MIT
GUESTS += crash-bad-stack
