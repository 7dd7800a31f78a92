# SPDX-License-Identifier: MIT
# Kernels, ramdisks and disks of the reference machine. Everything is made without root.
DEPS_PACKAGES += python3 qemu-system-x86 busybox-static kmod cpio e2fsprogs xenstore-utils binutils nftables dnsmasq-base

IMAGES := build/images
IMAGES_FETCH := build/images/.fetched
# Programs that go into the control domain's ramdisk once their folder builds them.
IMAGES_PROGRAMS := build/xenstore-lite/xenstore-lite build/xenstore-lite/store-guard build/toolstack/tenue build/backends/blkback \
	build/backends/netback build/backends/conback
IMAGES_SOURCES := $(wildcard images/control/* images/guest/*) images/passwd images/group images/mkramdisk \
	$(wildcard images/*.manifest)

.PHONY: images images-refresh
images: $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/vmlinuz-control $(IMAGES)/data.img $(IMAGES)/xen

# What apt resolved: links named after what they are for. `make images-refresh` asks apt again.
images-refresh:
	rm -f $(IMAGES_FETCH)
	$(MAKE) images
$(IMAGES_FETCH): images/fetch
	@mkdir -p $(IMAGES)
	@echo "Debian packages (cache: $${TENUE_CACHE:-$${XDG_CACHE_HOME:-~/.cache}/tenue})"
	@images/fetch linux-image-amd64 linux-image-cloud-amd64 xen-hypervisor-4.17-amd64 >$@.part
	@ln -sfnT "$$(sed -n 1p $@.part)" $(IMAGES)/kernel
	@ln -sfnT "$$(sed -n 2p $@.part)" $(IMAGES)/kernel-cloud
	@ln -sfnT "$$(sed -n 3p $@.part)" $(IMAGES)/xen-package
	@mv $@.part $@

$(IMAGES)/vmlinuz-control: $(IMAGES_FETCH)
	@cp $(IMAGES)/kernel/boot/vmlinuz-* $@
$(IMAGES)/vmlinuz-cloud: $(IMAGES_FETCH)
	@cp $(IMAGES)/kernel-cloud/boot/vmlinuz-* $@
$(IMAGES)/vmlinux-control: $(IMAGES)/vmlinuz-control images/unpack-kernel
	@echo "unpacking $<"
	@images/unpack-kernel $< $@
$(IMAGES)/xen: $(IMAGES_FETCH)
	@gzip -dc $(IMAGES)/xen-package/boot/xen-4.17-amd64.gz >$@

$(IMAGES)/agent: images/agent.c
	@mkdir -p $(@D)
	@echo "LD $@"
	$(Q)$(CC) $(CFLAGS_USER) -static -o $@ $<

.SECONDEXPANSION:
$(IMAGES)/control.cpio: $(IMAGES_SOURCES) $(IMAGES_FETCH) $(IMAGES)/agent $$(filter $$(IMAGES_PROGRAMS),$$(ALL_TARGETS))
	@echo "control domain's ramdisk"
	@images/mkramdisk $@ images/control.manifest KERNEL=$(IMAGES)/kernel
$(IMAGES)/guest.cpio: $(IMAGES_SOURCES) $(IMAGES_FETCH)
	@echo "guest's ramdisk"
	@images/mkramdisk $@ images/guest.manifest KERNEL=$(IMAGES)/kernel

# The disk with the guests' kernels and images; demo.img within it is the demonstration guest's own disk.
$(IMAGES)/data.img: $(IMAGES)/guest.cpio $(IMAGES)/vmlinuz-control $(IMAGES)/vmlinuz-cloud $(IMAGES)/vmlinux-control
	@echo "disk with the guests' images"
	@rm -rf $(IMAGES)/data $@.part && mkdir $(IMAGES)/data
	@cp $(IMAGES)/guest.cpio $(IMAGES)/vmlinuz-cloud $(IMAGES)/data/
	@cp $(IMAGES)/vmlinuz-control $(IMAGES)/data/vmlinuz
	@cp $(IMAGES)/vmlinux-control $(IMAGES)/data/vmlinux
	@PATH=$$PATH:/sbin:/usr/sbin; truncate -s 256M $(IMAGES)/data/demo.img && \
		mke2fs -q -F -t ext4 -L demo -E root_owner=0:0 $(IMAGES)/data/demo.img && \
		truncate -s 2G $@.part && mke2fs -q -F -t ext4 -L tenue-images -E root_owner=0:0 -d $(IMAGES)/data $@.part
	@rm -rf $(IMAGES)/data && mv $@.part $@

# Xen's own tools as an overlay, for comparisons.
XENTOOLS_PACKAGES := xen-utils-4.17 xen-utils-common libxencall1 libxenevtchn1 libxenforeignmemory1 libxengnttab1 \
	libxenmisc4.17 libxenstore4 libxentoollog1 libxentoolcore1 libxendevicemodel1 libxenhypfs1 libyajl2
$(IMAGES)/xen-tools.cpio: images/xen-tools.manifest $(wildcard images/xen-tools/*) images/mkramdisk images/fetch
	@mkdir -p $(IMAGES) && rm -rf $(IMAGES)/xen-tools && mkdir $(IMAGES)/xen-tools
	@for tree in $$(images/fetch $(XENTOOLS_PACKAGES)); do cp -a "$$tree/." $(IMAGES)/xen-tools/; done
	@images/mkramdisk $@ images/xen-tools.manifest XENTOOLS=$(IMAGES)/xen-tools

# A whole Debian as a guest's disk, and the disk of images with it: make run GUEST=debian.
.PHONY: images-debian
images-debian: ## a Debian root image for `make run GUEST=debian`
	@.ci/deps mmdebstrap fakeroot uidmap
	@$(MAKE) --no-print-directory $(IMAGES)/data-debian.img
$(IMAGES)/debian.img: images/mkdebian
	@mkdir -p $(@D)
	@echo "Debian root image"
	@images/mkdebian $@
$(IMAGES)/data-debian.img: $(IMAGES)/debian.img $(IMAGES)/guest.cpio $(IMAGES)/vmlinuz-control
	@echo "disk with the Debian guest's image"
	@rm -rf $(IMAGES)/data-debian && mkdir $(IMAGES)/data-debian
	@cp $(IMAGES)/guest.cpio $(IMAGES)/data-debian/ && cp $(IMAGES)/vmlinuz-control $(IMAGES)/data-debian/vmlinuz
	@cp --sparse=always $(IMAGES)/debian.img $(IMAGES)/data-debian/
	@PATH=$$PATH:/sbin:/usr/sbin; rm -f $@.part; truncate -s 4G $@.part && \
		mke2fs -q -F -t ext4 -L tenue-images -E root_owner=0:0 -d $(IMAGES)/data-debian $@.part
	@rm -rf $(IMAGES)/data-debian && mv $@.part $@

# What qcow2 images and NBD servers need, as an overlay: 22 MiB that the usual control domain does without.
DEPS_PACKAGES += qemu-utils qemu-system-common
$(IMAGES)/disks.cpio: images/disks.manifest images/mkramdisk build/backends/blkback-nbd build/backends/blkreplay build/backends/netreplay build/backends/imagefd.so
	@mkdir -p $(@D)
	@images/mkramdisk $@ $<
$(IMAGES)/control-disks.cpio: $(IMAGES)/control.cpio $(IMAGES)/disks.cpio
	@cat $^ >$@
