# SPDX-License-Identifier: MIT
# frontends/: the guest SDK. build/frontends/libtenue-front.a, the linker scripts and the flavours.
FRONT_B := $(BUILD)/frontends
FRONT_STACK_SIZE := 16384
FRONT_SRC := $(wildcard frontends/core/*.c frontends/x86/*.c) frontends/x86/start.S frontends/x86/entry.S
FRONT_OBJ := $(patsubst frontends/%,$(FRONT_B)/%.o,$(FRONT_SRC))
FRONT_FLAVOURS := high low legacy
FRONT_VIRT_BASE_high := 0xffffffff80000000
FRONT_VIRT_BASE_low := 0
FRONT_VIRT_BASE_legacy := 0xffffffff80000000
# The installed public headers, reached through a link so that nothing else of the host leaks in.
FRONT_XEN_INCLUDE ?= /usr/include/xen
FRONT_CFLAGS = -std=gnu11 -O2 -g -MMD -ffreestanding -nostdinc \
	-isystem $(shell $(CC) -print-file-name=include) -isystem $(FRONT_B)/include \
	-Ifrontends/include -D__XEN_INTERFACE_VERSION__=0x00040e00 -DFRONT_STACK_SIZE=$(FRONT_STACK_SIZE) \
	-m64 -mno-red-zone -mgeneral-regs-only -fpie -fvisibility=hidden -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables -fno-delete-null-pointer-checks \
	-fno-strict-aliasing $(WARNINGS)
DEPS_PACKAGES += libxen-dev binutils

ALL_TARGETS += $(FRONT_B)/libtenue-front.a

$(FRONT_B)/include/xen:
	@test -d $(FRONT_XEN_INCLUDE) || { echo "frontends: $(FRONT_XEN_INCLUDE) is missing: install libxen-dev"; exit 1; }
	@mkdir -p $(@D)
	$(Q)ln -sfn $(FRONT_XEN_INCLUDE) $@

$(FRONT_B)/%.c.o: frontends/%.c | $(FRONT_B)/include/xen
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(FRONT_CFLAGS) -c -o $@ $<

$(FRONT_B)/%.S.o: frontends/%.S | $(FRONT_B)/include/xen
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(FRONT_CFLAGS) -c -o $@ $<

$(FRONT_B)/libtenue-front.a: $(FRONT_OBJ)
	@rm -f $@
	$(Q)ar rcsD $@ $^

$(FRONT_B)/guest-%.lds: frontends/x86/guest.lds.S
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -DFRONT_VIRT_BASE=$(FRONT_VIRT_BASE_$*) -o $@ $<
