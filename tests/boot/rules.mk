# SPDX-License-Identifier: MIT
# tests/boot/: what the hypervisor says about input it cannot use, and how loaders hand it what it can.
.PHONY: check-boot check-grub
check-boot check-grub: $(BUILD)/hypervisor/tenue $(BUILD)/tests/guests/hello
check-boot:
	@tests/boot/run
check-grub:
	@tests/boot/grub

CHECK_GUESTS += check-boot check-grub
DEPS_PACKAGES += python3 qemu-system-x86 grub-common grub-pc-bin xorriso mtools
