# SPDX-License-Identifier: MIT
# tests/recovery/: what may fault on a guest's values can go on.
.PHONY: check-recovery
check-recovery: $(BUILD)/hypervisor/tenue.elf
	@tests/recovery/check $<
CHECK_UNIT += check-recovery
