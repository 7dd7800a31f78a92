# SPDX-License-Identifier: MIT
GUESTS += grant-copy
