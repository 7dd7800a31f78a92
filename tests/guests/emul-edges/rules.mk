# SPDX-License-Identifier: MIT
GUESTS += emul-edges
GUEST_FLAVOUR_emul-edges := high
