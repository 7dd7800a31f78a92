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

# What the bench gives to do: a program, and make with two compilers and three files.
GK_SOURCES := tests/bench/lbench.c tests/bench/netbench.c tests/bench/blkbench.c
$(GK_OUT)/work: tests/guest-kernel/work.c tests/bench/bench.h
	@mkdir -p $(@D)
	@echo "LD $@"
	$(Q)$(CC) $(CFLAGS_USER) -MF $@.d -static -o $@ $<
# Whatever the compiler and the linker read of this machine for them, where it lies once links are followed.
$(GK_OUT)/work-inputs.manifest: $(GK_SOURCES)
	@mkdir -p $(@D)
	@{ for s in $(GK_SOURCES); do gcc -D_GNU_SOURCE -O1 -M $$s; gcc -D_GNU_SOURCE -MD -MF /dev/stdout -o /dev/null -Wl,-t $$s; \
		done; gcc -print-file-name=crt1.o; } | \
		tr ' ' '\n' | sed -n '/^\/usr\|^\/lib/p' | xargs realpath | sort -u | sed 's,.*,file & &,' >$@
$(GK_OUT)/work.cpio: tests/guest-kernel/work.manifest $(GK_OUT)/work-inputs.manifest $(GK_OUT)/work tests/bench/bench.h
	@echo "bench: compilers for guests"
	@images/mkramdisk $@ $< CC1=$$(gcc -print-prog-name=cc1) LTO=$$(gcc -print-file-name=liblto_plugin.so) \
		TCC=$$(images/fetch tcc) \
		COLLECT2=$$(gcc -print-prog-name=collect2)
$(GK_OUT)/bench-work.cpio: tests/guest-kernel/bench-work.manifest $(GK_OUT)/work.cpio
	@images/mkramdisk $@ $<

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
bench-guest-kernel: guest-kernel-images $(GK_OUT)/bench-work.cpio $(BENCH)/control.cpio $(BENCH)/tcgcount.so $(BUILD)/hypervisor/tenue $(IMAGES)/xen ## the small kernel beside Debian's and native, as instructions
	@images/mkramdisk $(GK_OUT)/bench-guest.cpio tests/bench/guest.manifest $(GK_RAMDISK)
	@images/mkramdisk $(GK_OUT)/bench-control.cpio tests/bench/control.manifest $(GK_RAMDISK) XENTOOLS=$(IMAGES)/xen-tools
	@images/mkramdisk $(GK_OUT)/bench-overlay.cpio tests/guest-kernel/bench.manifest $(GK_RAMDISK)
	@tests/guest-kernel/bench $(GK_ARGS)
