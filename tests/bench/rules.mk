# SPDX-License-Identifier: MIT
# tests/bench/: ours beside Debian's Xen 4.17, as instructions. Its README tells how to read the table.
BENCH := $(BUILD)/bench
BENCH_LINUX := lbench blkbench netbench xsbench hvmem mark
DEPS_PACKAGES += libxen-dev qemu-system-x86 python3 iproute2 util-linux

$(BENCH)/%.o: tests/bench/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(CFLAGS_USER) -D__XEN_INTERFACE_VERSION__=0x00040e00 -c -o $@ $<
$(BENCH)/xsbench $(BENCH)/hvmem: $(BENCH)/hvinfo.o
$(BENCH_LINUX:%=$(BENCH)/%): $(BENCH)/%: $(BENCH)/%.o
	@echo "LD $@"
	$(Q)$(CC) -static -pthread -s -o $@ $^

# The freestanding guest, and the guest that only exists (SPIN: its benches are unreachable, not left out).
BENCH_FREE := -std=gnu11 -O2 -ffreestanding -fno-stack-protector -fno-pic -no-pie -mcmodel=kernel -mno-red-zone \
	-mgeneral-regs-only -fno-asynchronous-unwind-tables -nostdlib -static -s $(WARNINGS) -Wl,-T,tests/bench/hvbench.lds \
	-Wl,--build-id=none -Wl,--no-warn-rwx-segments
BENCH_FREE_SRC := tests/bench/hvbench.S tests/bench/hvbench.c
$(BENCH)/hvbench: $(BENCH_FREE_SRC) tests/bench/hvbench.lds
	@mkdir -p $(@D)
	@echo "LD $@"
	$(Q)$(CC) $(BENCH_FREE) -o $@ $(BENCH_FREE_SRC)
$(BENCH)/spin: $(BENCH_FREE_SRC) tests/bench/hvbench.lds
	@mkdir -p $(@D)
	@echo "LD $@"
	$(Q)$(CC) $(BENCH_FREE) -DSPIN -o $@ $(BENCH_FREE_SRC)

$(BENCH)/tcgcount.so: tests/bench/tcgcount.c tests/bench/tcgplugin.h
	@mkdir -p $(@D)
	@echo "LD $@"
	$(Q)$(CC) $(CFLAGS_USER) -MF $@.d -shared -fPIC -o $@ $<

$(BENCH)/guest.cpio: tests/bench/guest.manifest tests/bench/guest-init images/skeleton.manifest images/mkramdisk \
		$(IMAGES_FETCH) $(addprefix $(BENCH)/,lbench blkbench netbench xsbench)
	@images/mkramdisk $@ tests/bench/guest.manifest KERNEL=$(IMAGES)/kernel
$(BENCH)/control.cpio: tests/bench/control.manifest $(wildcard tests/bench/control-init tests/bench/toolstack-*) \
		$(IMAGES)/control.cpio $(IMAGES)/xen-tools.cpio $(IMAGES)/vmlinux-control $(BENCH)/guest.cpio \
		$(addprefix $(BENCH)/,lbench netbench xsbench hvmem mark hvbench spin) $(BUILD)/examples/hello
	@echo "bench: the control domain's ramdisk, for both sides"
	@images/mkramdisk $@ tests/bench/control.manifest KERNEL=$(IMAGES)/kernel XENTOOLS=$(IMAGES)/xen-tools

.PHONY: bench
# QUICK=1: hypercalls, system calls and faults only. BENCH_ARGS: see tests/bench/run --help.
bench: $(BENCH)/control.cpio $(BENCH)/tcgcount.so $(BUILD)/hypervisor/tenue $(IMAGES)/xen ## ours beside Debian's Xen, as instructions
	@tests/bench/run $(if $(filter 1,$(QUICK)),--quick) $(BENCH_ARGS)

.PHONY: bench-smp
# SMP_ARGS: see tests/bench/smp --help.
bench-smp: $(BUILD)/hypervisor/tenue $(IMAGES)/xen $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(BUILD)/tests/guests/scale ## work beside processors, in wall time, by turns with Debian's Xen
	@tests/bench/smp $(SMP_ARGS)

.PHONY: bench-docs
bench-docs: ## docs/cost.md and docs/cost.svg from the last `make bench`
	@tests/bench/run --report --docs docs >$(BENCH)/docs.txt; grep '^wrote' $(BENCH)/docs.txt
