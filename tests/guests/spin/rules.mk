# SPDX-License-Identifier: MIT
GUESTS_DOMU += spin
