# SPDX-License-Identifier: MIT
GUESTS += nmi
