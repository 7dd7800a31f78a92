# SPDX-License-Identifier: MIT
GUESTS += hypercall-abi
GUEST_FLAVOUR_hypercall-abi := high
