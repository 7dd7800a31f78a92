# SPDX-License-Identifier: MIT
GUESTS += flip-inputs
