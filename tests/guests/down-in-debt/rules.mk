# SPDX-License-Identifier: MIT
GUESTS += down-in-debt
