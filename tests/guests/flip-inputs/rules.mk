# SPDX-License-Identifier: MIT
GUESTS += flip-inputs
GUEST_FLAVOUR_flip-inputs := high
