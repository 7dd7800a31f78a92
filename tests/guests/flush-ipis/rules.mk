# SPDX-License-Identifier: MIT
GUESTS += flush-ipis
