# SPDX-License-Identifier: MIT
GUESTS += other-domain
