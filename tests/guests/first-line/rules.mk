# SPDX-License-Identifier: MIT
GUESTS += first-line
