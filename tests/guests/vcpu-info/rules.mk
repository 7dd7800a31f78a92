# SPDX-License-Identifier: MIT
GUESTS += vcpu-info
