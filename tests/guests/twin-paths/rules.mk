# SPDX-License-Identifier: MIT
GUESTS += twin-paths
