# SPDX-License-Identifier: MIT
GUESTS += evtchn
GUEST_FLAVOUR_evtchn := high
