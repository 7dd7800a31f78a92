# SPDX-License-Identifier: MIT
# tests/boot/: what the hypervisor says about input it cannot use.
.PHONY: check-boot
check-boot: $(BUILD)/hypervisor/tenue $(BUILD)/tests/guests/hello
	@tests/boot/run

CHECK_GUESTS += check-boot
DEPS_PACKAGES += python3 qemu-system-x86
