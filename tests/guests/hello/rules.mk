# SPDX-License-Identifier: MIT
GUESTS += hello
