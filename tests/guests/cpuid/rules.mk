# SPDX-License-Identifier: MIT
GUESTS += cpuid
