# SPDX-License-Identifier: MIT
GUESTS += userspace
