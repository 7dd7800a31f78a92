# SPDX-License-Identifier: MIT
GUESTS += m2p
