# SPDX-License-Identifier: MIT
GUESTS += close-in-handler
