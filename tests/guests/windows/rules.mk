# SPDX-License-Identifier: MIT
GUESTS += windows
