# SPDX-License-Identifier: MIT
GUESTS += console-io
