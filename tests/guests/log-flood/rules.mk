# SPDX-License-Identifier: MIT
GUESTS += log-flood
GUEST_FLAVOUR_log-flood := high
