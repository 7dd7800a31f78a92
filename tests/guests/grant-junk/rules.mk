# SPDX-License-Identifier: MIT
GUESTS += grant-junk
