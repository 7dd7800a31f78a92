# SPDX-License-Identifier: MIT
# tests/faults: what goes wrong on purpose. The scenarios are in tests/system/scenarios; here is what they run: a rogue
# guest on the SDK, and a Linux guest's ramdisk with roles.
FAULTS_B := $(BUILD)/tests/faults
FAULTS_DISK := $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img

$(FAULTS_B)/rogue.o: tests/faults/guests/rogue/main.c | $(FRONT_B)/include/xen
	@mkdir -p $(@D)
	@$(CC) $(FRONT_CFLAGS) -c -o $@ $<

$(FAULTS_B)/rogue: $(FAULTS_B)/rogue.o $(FRONT_B)/x86/flavour-high.S.o $(FRONT_B)/libtenue-front.a $(FRONT_B)/guest-high.lds
	@echo "LD $@"
	@ld -m elf_x86_64 -static --no-warn-rwx-segments --build-id=none -z noexecstack -T $(FRONT_B)/guest-high.lds \
		-o $@ $(filter %.o %.a,$^)

$(FAULTS_B)/guest.cpio: tests/faults/guest.manifest $(wildcard tests/faults/guest/*) $(IMAGES_SOURCES) $(IMAGES_FETCH)
	@mkdir -p $(@D)
	@images/mkramdisk $@ $< KERNEL=$(IMAGES)/kernel

# Laid over the control domain's ramdisk: brings both guests to where the scenarios expect them.
$(FAULTS_B)/control.cpio: tests/faults/control.manifest $(FAULTS_B)/guest.cpio $(FAULTS_B)/rogue
	@images/mkramdisk $@ $< FAULTS=$(FAULTS_B)

FAULTS_NEEDS := $(BUILD)/hypervisor/tenue $(FAULTS_B)/control.cpio $(FAULTS_DISK)
