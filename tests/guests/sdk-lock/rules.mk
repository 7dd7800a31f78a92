# SPDX-License-Identifier: MIT
GUESTS += sdk-lock
