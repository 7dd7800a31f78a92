# SPDX-License-Identifier: MIT
GUESTS += user-io
GUEST_FLAVOUR_user-io := high
