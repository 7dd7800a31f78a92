# SPDX-License-Identifier: MIT
GUESTS += crash-second-vcpu
