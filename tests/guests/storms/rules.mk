# SPDX-License-Identifier: MIT
GUESTS += storms
