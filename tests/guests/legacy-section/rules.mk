# SPDX-License-Identifier: MIT
GUESTS += legacy-section
GUEST_FLAVOUR_legacy-section := legacy
