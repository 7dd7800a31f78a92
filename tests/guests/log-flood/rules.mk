# SPDX-License-Identifier: MIT
GUESTS += log-flood
