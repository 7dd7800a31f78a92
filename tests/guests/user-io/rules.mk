# SPDX-License-Identifier: MIT
GUESTS += user-io
