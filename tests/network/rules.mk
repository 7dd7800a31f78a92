# SPDX-License-Identifier: MIT
# tests/network/: who reaches whom (docs/networks.md).
DEPS_PACKAGES += iproute2 util-linux procps
.PHONY: check-net-hosted
check-net-hosted: $(TS_O)/tenue
	@tests/network/hosted $<
CHECK_UNIT += check-net-hosted
