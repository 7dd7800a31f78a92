# SPDX-License-Identifier: MIT
# tests/system/: the whole stack, booted.
.PHONY: check-demo
check-demo: $(BUILD)/hypervisor/tenue $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img
	@tests/system/demo --hv tenue
CHECK_SYSTEM += check-demo

# The same scenario with our user space on Debian's Xen: store, backends and command are replaceable parts.
.PHONY: check-demo-on-xen
check-demo-on-xen: $(IMAGES)/xen $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img
	@tests/system/demo --hv xen
SOAK += check-demo-on-xen
# And on a hypervisor with assertions that audits itself at each domain's end.
.PHONY: check-demo-debug
check-demo-debug: hypervisor-debug $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img
	@TENUE_IMAGE=$(BUILD)/debug/hypervisor/tenue tests/system/demo --hv tenue
SOAK += check-demo-debug

# `make run` on a terminal, as a person would.
.PHONY: check-terminal
check-terminal: $(BUILD)/hypervisor/tenue $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img
	@tests/system/terminal
CHECK_SYSTEM += check-terminal

# A guest of the SDK's on a disk of ours.
.PHONY: check-sdk-disk
check-sdk-disk: $(BUILD)/hypervisor/tenue $(BUILD)/tests/guests/blk-read $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control \
		$(IMAGES)/data.img
	@tests/system/sdk-disk
CHECK_SYSTEM += check-sdk-disk

# Another chipset, two processors, memory above 4 GiB.
.PHONY: check-machines
check-machines: $(BUILD)/hypervisor/tenue $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img
	@tests/system/machines
CHECK_SYSTEM += check-machines

# Where the time goes: tenue top, cost, trace.
.PHONY: check-cost
check-cost: $(BUILD)/hypervisor/tenue $(BUILD)/tests/guests/account $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img
	@tests/system/cost
CHECK_SYSTEM += check-cost

# What a disk may do a second.
.PHONY: check-limits
check-limits: $(BUILD)/hypervisor/tenue $(BUILD)/tests/guests/ring-load $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img
	@tests/system/limits
CHECK_SYSTEM += check-limits

# Four processors, busy.
.PHONY: check-smp
check-smp: $(BUILD)/hypervisor/tenue $(BUILD)/tests/guests/spin $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control \
		$(IMAGES)/data.img
	@tests/system/smp
CHECK_ALONE += check-smp

# Weights and caps over ten seconds of instructions counted as time.
.PHONY: check-fair
check-fair: $(BUILD)/hypervisor/tenue $(BUILD)/tests/guests/share $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control \
		$(IMAGES)/data.img
	@tests/system/fair
CHECK_SYSTEM += check-fair

# Xen's own command on our hypervisor and store.
.PHONY: check-xl
check-xl: $(BUILD)/hypervisor/tenue $(BUILD)/tests/guests/spin $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control \
		$(IMAGES)/xen-tools.cpio
	@tests/system/xl
CHECK_SYSTEM += check-xl

# sched=null: a CPU of its own for each vcpu, and what is refused then.
.PHONY: check-partition
check-partition: $(BUILD)/hypervisor/tenue $(BUILD)/tests/guests/spin $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control
	@tests/system/partition
CHECK_ALONE += check-partition

# How often ten idle guests wake two processors; a guest of 32 vcpus.
.PHONY: soak-idle soak-many-vcpus
soak-idle soak-many-vcpus: soak-%: $(BUILD)/hypervisor/tenue $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img
	@tests/system/$*
SOAK += soak-idle soak-many-vcpus

# Networks of guests: who reaches whom.
.PHONY: check-net
check-net: $(BUILD)/hypervisor/tenue $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img $(BE_O)/netreplay ## who reaches whom in the five kinds of network; closes with 25 of 25
	@tests/system/net
CHECK_SYSTEM += check-net

# Disks and network cards that the control domain's kernel serves.
.PHONY: check-kernel-backends
check-kernel-backends: $(BUILD)/hypervisor/tenue $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img
	@tests/system/kernel-backends
CHECK_SYSTEM += check-kernel-backends
