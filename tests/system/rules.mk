# SPDX-License-Identifier: MIT
# tests/system/: the whole stack, booted.
.PHONY: check-demo
check-demo: $(BUILD)/hypervisor/tenue $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img
	@tests/system/demo --hv tenue
CHECK_SYSTEM += check-demo
