# SPDX-License-Identifier: MIT
# tests/speculation/: what is done against faults of processors, in the image and on the emulated machine.
SPEC_B := $(BUILD)/tests/speculation
$(SPEC_B)/protnone: tests/speculation/protnone.c
	@mkdir -p $(@D)
	@echo "LD $@"
	$(Q)$(CC) $(CFLAGS_USER) -g0 -MF $@.d -ffreestanding -fno-stack-protector -fcf-protection=none -nostdlib -static -no-pie -s \
		-Wl,--build-id=none,-z,noseparate-code -o $@ $<

.PHONY: check-speculation-image check-speculation check-guests-isolated check-linux-isolated
check-speculation-image: $(BUILD)/hypervisor/tenue
	@tests/speculation/image.py $(BUILD)/hypervisor/tenue.elf
check-speculation: $(BUILD)/hypervisor/tenue $(BUILD)/tests/guests/root-entries
	@tests/speculation/run

# Everything that the emulated processor can execute, asked for: entries, exits, roots, descriptors, several CPUs.
SPEC_ALL := xpti=on spec-ctrl=verw,rsb,bhb-entry,div-scrub,bti-thunk=retpoline
SPEC_GUESTS := entry-gates iret odd-segments root-entries segments smp stale-tlb traps two-on-one user-traps
check-guests-isolated: $(addprefix $(GUESTS_B)/,$(SPEC_GUESTS)) $(BUILD)/hypervisor/tenue
	@mkdir -p $(GUESTS_B)/logs-isolated
	@tests/guests/run --hypervisor $(BUILD)/hypervisor/tenue --dir $(GUESTS_B) --logs $(GUESTS_B)/logs-isolated \
		--append "$(SPEC_ALL)" $(SPEC_GUESTS)

# Debian as the control domain, on isolated tables, with entries that L1TF cannot read.
check-linux-isolated: $(BUILD)/hypervisor/tenue $(SPEC_B)/protnone $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control \
		$(IMAGES)/data.img
	@tests/speculation/linux $(SPEC_B)/protnone "$(SPEC_ALL) pv-l1tf=on"

CHECK_UNIT += check-speculation-image
CHECK_GUESTS += check-speculation check-guests-isolated
CHECK_SYSTEM += check-linux-isolated
