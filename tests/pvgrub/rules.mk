# SPDX-License-Identifier: MIT
# tests/pvgrub: somebody else's PV guest. Debian's GRUB for Xen reads a menu and a kernel from our disk and hands over.
PVGRUB_B := $(BUILD)/tests/pvgrub

$(PVGRUB_B)/grub: $(IMAGES_FETCH)
	@mkdir -p $(@D)
	@cp "$$(images/fetch grub-xen-host)/usr/lib/grub-xen/grub-x86_64-xen.bin" $@
$(PVGRUB_B)/disk.img: tests/pvgrub/grub.cfg $(IMAGES)/vmlinux-control $(IMAGES)/guest.cpio
	@rm -rf $(PVGRUB_B)/root && mkdir -p $(PVGRUB_B)/root/boot/grub
	@cp tests/pvgrub/grub.cfg $(PVGRUB_B)/root/boot/grub/
	@cp $(IMAGES)/vmlinux-control $(PVGRUB_B)/root/boot/vmlinux
	@cp $(IMAGES)/guest.cpio $(PVGRUB_B)/root/boot/initrd
	@PATH=$$PATH:/sbin:/usr/sbin; rm -f $@; truncate -s 96M $@ && \
		mke2fs -q -F -t ext4 -O ^64bit,^metadata_csum -E root_owner=0:0 -d $(PVGRUB_B)/root $@
$(PVGRUB_B)/overlay.cpio: tests/pvgrub/overlay.manifest $(PVGRUB_B)/grub $(PVGRUB_B)/disk.img
	@images/mkramdisk $@ $< PVGRUB=$(PVGRUB_B)

.PHONY: check-pvgrub
check-pvgrub: $(BUILD)/hypervisor/tenue $(PVGRUB_B)/overlay.cpio $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img
	@tests/pvgrub/run
CHECK_SYSTEM += check-pvgrub
