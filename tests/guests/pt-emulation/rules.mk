# SPDX-License-Identifier: MIT
GUESTS += pt-emulation
