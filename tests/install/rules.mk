# SPDX-License-Identifier: MIT
# tests/install: what `make install` leaves is enough to run, and to write guests with.
.PHONY: check-install
check-install: all
	@tests/install/run $(MAKE)
CHECK_UNIT += check-install
