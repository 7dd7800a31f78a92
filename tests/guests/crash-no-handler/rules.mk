# SPDX-License-Identifier: MIT
GUESTS += crash-no-handler
GUEST_FLAVOUR_crash-no-handler := high
