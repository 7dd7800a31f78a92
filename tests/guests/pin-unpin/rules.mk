# SPDX-License-Identifier: MIT
GUESTS += pin-unpin
