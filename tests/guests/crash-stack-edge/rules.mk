# SPDX-License-Identifier: MIT
GUESTS += crash-stack-edge
