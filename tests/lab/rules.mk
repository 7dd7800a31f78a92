# SPDX-License-Identifier: MIT
# tests/lab/: `tenue lab` without a machine, and its experiments on the embedded one.
LAB := $(BUILD)/lab
DEPS_PACKAGES += gnuplot-nox

.PHONY: check-lab
check-lab: $(BE_O)/blkreplay $(BE_O)/netreplay ## experiments against a place that answers as told, captures replayed, the examples of tenue-lab(8)
	@tests/lab/check
CHECK_UNIT += check-lab

$(LAB)/guest.cpio: tests/lab/guest.manifest tests/lab/guest-init images/skeleton.manifest images/mkramdisk $(IMAGES_FETCH)
	@mkdir -p $(@D) && images/mkramdisk $@ tests/lab/guest.manifest KERNEL=$(IMAGES)/kernel
$(LAB)/control.cpio: tests/lab/control.manifest $(IMAGES)/control.cpio $(IMAGES)/xen-tools.cpio images/mkramdisk
	@.ci/deps iperf3
	@echo "lab: the control domain's ramdisk"
	@mkdir -p $(@D) && images/mkramdisk $@ tests/lab/control.manifest KERNEL=$(IMAGES)/kernel XENTOOLS=$(IMAGES)/xen-tools
# What guests boot and run, as `tenue lab` wants it in /var/lib/tenue/lab; and a disk with it for the embedded machine.
$(LAB)/files/tools.img: tests/lab/tools.manifest $(LAB)/guest.cpio $(IMAGES)/vmlinuz-control images/mkramdisk
	@.ci/deps fio iperf3
	@echo "lab: the guests' tools"
	@rm -rf $(LAB)/tools && mkdir -p $(@D) $(LAB)/tools
	@images/mkramdisk $(LAB)/tools.cpio tests/lab/tools.manifest
	@cd $(LAB)/tools && cpio --quiet -idm <../tools.cpio
	@cp $(LAB)/guest.cpio $(@D)/ && cp $(IMAGES)/vmlinuz-control $(@D)/vmlinuz
	@PATH=$$PATH:/sbin:/usr/sbin; rm -f $@.part; truncate -s 160M $@.part && mke2fs -q -F -t ext4 -O ^has_journal -d $(LAB)/tools $@.part
	@rm -rf $(LAB)/tools $(LAB)/tools.cpio && mv $@.part $@
$(LAB)/files/ring-load: $(BUILD)/tests/guests/ring-load
	@mkdir -p $(@D) && cp $< $@
$(LAB)/lab.img: $(LAB)/files/tools.img $(LAB)/files/ring-load
	@rm -rf $(LAB)/disk $@.part && mkdir $(LAB)/disk && cp -r $(LAB)/files $(LAB)/disk/lab
	@PATH=$$PATH:/sbin:/usr/sbin; truncate -s 512M $@.part && \
		mke2fs -q -F -t ext4 -L tenue-images -E root_owner=0:0 -d $(LAB)/disk $@.part
	@rm -rf $(LAB)/disk && mv $@.part $@

.PHONY: lab
# EXPERIMENT=NAME...: only these (tenue lab list). LAB_ARGS: see tests/lab/embedded --help.
lab: $(BUILD)/hypervisor/tenue $(IMAGES)/xen $(IMAGES)/vmlinux-control $(LAB)/control.cpio $(LAB)/lab.img ## I/O experiments on the embedded machine
	@tests/lab/embedded $(or $(EXPERIMENT),$(basename $(notdir $(wildcard toolstack/lab/experiments/*.toml)))) $(LAB_ARGS)
