# SPDX-License-Identifier: MIT
GUESTS += account
