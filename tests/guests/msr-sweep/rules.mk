# SPDX-License-Identifier: MIT
GUESTS += msr-sweep
