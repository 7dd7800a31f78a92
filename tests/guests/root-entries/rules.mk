# SPDX-License-Identifier: MIT
GUESTS += root-entries
GUEST_FLAVOUR_root-entries := high
