# SPDX-License-Identifier: MIT
GUESTS += storms
GUEST_FLAVOUR_storms := high
