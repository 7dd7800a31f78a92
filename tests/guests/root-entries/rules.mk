# SPDX-License-Identifier: MIT
GUESTS += root-entries
