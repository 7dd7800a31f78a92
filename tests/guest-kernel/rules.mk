# SPDX-License-Identifier: MIT
# tests/guest-kernel/: the patched kernel. Hosted: its series. The rest builds and boots it, which no usual check does.
.PHONY: check-guest-kernel-series
check-guest-kernel-series: ## are the series and the config of guest-kernel-patches well-formed?
	@tests/guest-kernel/series
CHECK_UNIT += check-guest-kernel-series

GK_RELEASE = $(notdir $(firstword $(wildcard $(GK_OUT)/kernel/lib/modules/*)))
GK_RAMDISK = KERNEL=$(GK_OUT)/kernel RELEASE=$(GK_RELEASE)
$(GK_OUT)/churn: tests/guest-kernel/churn.c
	@mkdir -p $(@D)
	@echo "LD $@"
	$(Q)$(CC) $(CFLAGS_USER) -MF $@.d -static -pthread -o $@ $<

# The ramdisks of images/ and of the bench, with this kernel's modules and the guests' kernel.
.PHONY: guest-kernel-images
guest-kernel-images: guest-kernel $(IMAGES)/control.cpio $(IMAGES)/guest.cpio $(GK_OUT)/churn
	@images/mkramdisk $(GK_OUT)/control.cpio images/control.manifest $(GK_RAMDISK)
	@images/mkramdisk $(GK_OUT)/guest.cpio tests/guest-kernel/guest.manifest $(GK_RAMDISK)
	@images/mkramdisk $(GK_OUT)/guest-files.cpio tests/guest-kernel/files.manifest $(GK_RAMDISK)

# Control domain and guest, on both hypervisors; and does the whole series come off the tree again? With its ledger.
.PHONY: check-guest-kernel
check-guest-kernel: guest-kernel-images $(BUILD)/hypervisor/tenue $(IMAGES)/xen $(IMAGES)/data.img ## the small kernel as control domain and guest, on ours and on Xen
	@tests/guest-kernel/all
SOAK += check-guest-kernel

.PHONY: bench-guest-kernel
# GK_ARGS: see tests/guest-kernel/bench --help.
bench-guest-kernel: guest-kernel-images $(BENCH)/control.cpio $(BENCH)/tcgcount.so $(BUILD)/hypervisor/tenue $(IMAGES)/xen ## the small kernel beside Debian's and native, as instructions
	@images/mkramdisk $(GK_OUT)/bench-guest.cpio tests/bench/guest.manifest $(GK_RAMDISK)
	@images/mkramdisk $(GK_OUT)/bench-control.cpio tests/bench/control.manifest $(GK_RAMDISK) XENTOOLS=$(IMAGES)/xen-tools
	@images/mkramdisk $(GK_OUT)/bench-overlay.cpio tests/guest-kernel/bench.manifest $(GK_RAMDISK)
	@tests/guest-kernel/bench $(GK_ARGS)
