# SPDX-License-Identifier: MIT
GUESTS += legacy-calls
GUEST_FLAVOUR_legacy-calls := high
