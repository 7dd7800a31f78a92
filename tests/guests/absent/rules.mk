# SPDX-License-Identifier: MIT
GUESTS += absent
