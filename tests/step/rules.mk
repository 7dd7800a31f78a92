# SPDX-License-Identifier: MIT
# labs/step: a guest's hypercalls, one by one. What it needs built, and its test.
STEP_B := $(BUILD)/labs/stepping
STEP_NEEDS := $(STEP_B)/count.so $(STEP_B)/offsets $(STEP_B)/layouts
ALL_TARGETS += $(STEP_NEEDS)
DEPS_PACKAGES += qemu-system-x86 python3 binutils

$(STEP_B)/count.so: labs/stepping/count.c tests/bench/tcgplugin.h
	@mkdir -p $(@D)
	@echo "LD $@"
	$(Q)$(CC) $(CFLAGS_USER) -MF $@.d -shared -fPIC -o $@ $<

# The hypervisor's own flags; its structures as it was built with them.
$(STEP_B)/offsets: labs/stepping/offsets.c $(BUILD)/hypervisor/tenue.elf | $(BUILD)/include/xen
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV_CFLAGS) -MF $@.d -MT $@ -S -o $@.s $<
	@sed -n 's/.*->\([A-Z0-9_a-z]*\) \$$\?\(-\?[0-9]*\).*/\1 \2/p' $@.s > $@

$(STEP_B)/layouts.c: $(ABI_SRC)
	@mkdir -p $(@D)
	$(Q)abi/generate --layouts > $@
$(STEP_B)/layouts: $(STEP_B)/layouts.c
	$(Q)$(CC) -std=gnu11 -Ihypervisor/include -o $@.program $<
	@$@.program > $@

CHECK_GUESTS += check-step
.PHONY: check-step
check-step: $(STEP_NEEDS) $(GUEST_ELFS) $(EXHC_ELFS) $(BUILD)/hypervisor/tenue
	@tests/step/check

.PHONY: step
step: $(STEP_NEEDS) $(BUILD)/hypervisor/tenue ## GUEST=build/...: its hypercalls one by one, with what they did and cost; STEP_ARGS="--pause ..."
	@labs/step $(STEP_ARGS) $(GUEST)
