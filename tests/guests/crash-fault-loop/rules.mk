# SPDX-License-Identifier: MIT
GUESTS += crash-fault-loop
