# SPDX-License-Identifier: MIT
GUESTS += event-limits
