# SPDX-License-Identifier: MIT
GUESTS += hypercall-abi
