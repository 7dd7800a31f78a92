# SPDX-License-Identifier: MIT
GUESTS += va-mapping
GUEST_FLAVOUR_va-mapping := high
