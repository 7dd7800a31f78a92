# SPDX-License-Identifier: MIT
GUESTS += event-limits
GUEST_FLAVOUR_event-limits := high
