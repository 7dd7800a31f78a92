# SPDX-License-Identifier: MIT
GUESTS += fsgsbase
