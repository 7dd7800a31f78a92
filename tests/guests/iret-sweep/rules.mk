# SPDX-License-Identifier: MIT
GUESTS += iret-sweep
