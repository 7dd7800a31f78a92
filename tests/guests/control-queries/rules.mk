# SPDX-License-Identifier: MIT
GUESTS += control-queries
