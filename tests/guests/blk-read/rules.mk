# SPDX-License-Identifier: MIT
GUESTS_DOMU += blk-read
