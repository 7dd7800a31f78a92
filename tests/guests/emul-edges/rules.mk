# SPDX-License-Identifier: MIT
GUESTS += emul-edges
