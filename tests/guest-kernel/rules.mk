# SPDX-License-Identifier: MIT
# tests/guest-kernel/: the patched kernel. Hosted: its series. The rest builds and boots it, which no usual check does.
.PHONY: check-guest-kernel-series
check-guest-kernel-series: ## are the series and the config of guest-kernel-patches well-formed?
	@tests/guest-kernel/series
CHECK_UNIT += check-guest-kernel-series
