# SPDX-License-Identifier: MIT
GUESTS += vcpu-lies
