# SPDX-License-Identifier: MIT
GUESTS_DOMU += ring-load
