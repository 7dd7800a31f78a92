# SPDX-License-Identifier: MIT
GUESTS += type-confusion
