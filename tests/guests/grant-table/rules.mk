# SPDX-License-Identifier: MIT
GUESTS += grant-table
