# SPDX-License-Identifier: MIT
GUESTS += bad-addresses
