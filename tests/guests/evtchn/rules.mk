# SPDX-License-Identifier: MIT
GUESTS += evtchn
