# SPDX-License-Identifier: MIT
GUESTS += crash-no-user-root
