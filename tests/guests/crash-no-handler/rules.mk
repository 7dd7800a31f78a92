# SPDX-License-Identifier: MIT
GUESTS += crash-no-handler
