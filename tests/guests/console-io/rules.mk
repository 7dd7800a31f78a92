# SPDX-License-Identifier: MIT
GUESTS += console-io
GUEST_FLAVOUR_console-io := high
