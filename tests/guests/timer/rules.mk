# SPDX-License-Identifier: MIT
GUESTS += timer
