# SPDX-License-Identifier: MIT
GUESTS += hostile-sweep
