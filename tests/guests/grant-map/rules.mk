# SPDX-License-Identifier: MIT
GUESTS += grant-map
