# SPDX-License-Identifier: MIT
GUESTS += smp-storm
