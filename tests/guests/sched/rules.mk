# SPDX-License-Identifier: MIT
GUESTS += sched
