# SPDX-License-Identifier: MIT
GUESTS += legacy-calls
