# SPDX-License-Identifier: MIT
GUESTS += close-in-handler
GUEST_FLAVOUR_close-in-handler := high
