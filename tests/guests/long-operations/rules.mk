# SPDX-License-Identifier: MIT
GUESTS_DOMU += long-operations
