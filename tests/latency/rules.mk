# SPDX-License-Identifier: MIT
# tests/latency/: how long interrupts stay off, and how long the hypervisor cannot be preempted.
LATENCY_B := $(BUILD)/tests/latency
$(LATENCY_B)/stretch.so: tests/latency/stretch.c tests/bench/tcgplugin.h
	@mkdir -p $(@D)
	@echo "LD $@"
	$(Q)$(CC) $(CFLAGS_USER) -MF $@.d -shared -fPIC -o $@ $<

# Which guests: GUESTS in the script.
.PHONY: check-latency
check-latency: $(LATENCY_B)/stretch.so $(GUEST_ELFS) $(BUILD)/hypervisor/tenue \
		$(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img
	@tests/latency/run $(LATENCY_ARGS)
CHECK_SYSTEM += check-latency
