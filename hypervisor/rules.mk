# SPDX-License-Identifier: MIT
# hypervisor/: build/hypervisor/tenue, the bootable image, and tenue.elf, the same with symbols.
HV_B := $(BUILD)/hypervisor
HV_LAYERS_SRC := $(wildcard hypervisor/lib/*.c hypervisor/core/*.c hypervisor/pv/*.c)
HV_DIAG_SRC := $(filter-out %/none.c,$(wildcard hypervisor/diag/*.c))
# What hosted programs are made of: libc has the string functions there.
HV_HOSTED_SRC := $(filter-out hypervisor/lib/string.c,$(HV_LAYERS_SRC) $(HV_DIAG_SRC))
# Without diagnostics (HV_DIAG=0): the audit, debug keys, accounts and traces are answered by none.c.
HV_DIAG ?= 1
HV_DIAG_USED = $(if $(filter 0,$(HV_DIAG)),hypervisor/diag/none.c hypervisor/diag/lock_order.c,$(HV_DIAG_SRC))
HV_X86_SRC := $(filter-out hypervisor/x86/asm-offsets.c,$(wildcard hypervisor/x86/*.c hypervisor/x86/*.S))
HV_OBJ = $(patsubst hypervisor/%,$(HV_B)/%.o,$(HV_X86_SRC) $(HV_LAYERS_SRC) $(HV_DIAG_USED))

# The installed public headers, reached through a link so that nothing else of the host leaks in.
HV_XEN_INCLUDE ?= /usr/include/xen
HV_DEBUG ?= 0
HV_CPPFLAGS = -nostdinc -isystem $(shell $(CC) -print-file-name=include) -isystem $(BUILD)/include \
	-Ihypervisor/include -Ihypervisor/lib -Ihypervisor/x86 -I$(HV_B)/include \
	$(if $(filter 1,$(HV_DEBUG)),-DTENUE_DEBUG=1)
# Indirect branches through the thunks of x86/thunk.S (SPEC-2).
HV_THUNKS = $(if $(findstring clang,$(CC)),-mretpoline -mretpoline-external-thunk,-mindirect-branch=thunk-extern \
	-mindirect-branch-register)
HV_CFLAGS = -std=gnu11 -O2 -g -MMD -ffreestanding -m64 -fpic -fvisibility=hidden -mgeneral-regs-only \
	-mno-red-zone -include hypervisor/x86/hidden.h -fno-stack-protector -fno-strict-aliasing -fno-delete-null-pointer-checks \
	-fno-asynchronous-unwind-tables -fcf-protection=none -fno-jump-tables $(HV_THUNKS) $(WARNINGS) $(HV_CPPFLAGS)
DEPS_PACKAGES += libxen-dev binutils

ALL_TARGETS += $(HV_B)/tenue

# With assertions, and an audit at each domain's end.
.PHONY: hypervisor-debug
hypervisor-debug: ## the hypervisor with assertions: build/debug/hypervisor/tenue
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/debug HV_DEBUG=1 $(BUILD)/debug/hypervisor/tenue

# Without the audit, debug keys, accounts and traces.
.PHONY: hypervisor-nodiag
hypervisor-nodiag: ## the hypervisor without diagnostics: build/nodiag/hypervisor/tenue
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/nodiag HV_DIAG=0 $(BUILD)/nodiag/hypervisor/tenue

$(BUILD)/include/xen:
	@test -d $(HV_XEN_INCLUDE) || { echo "hypervisor: $(HV_XEN_INCLUDE) is missing: install libxen-dev"; exit 1; }
	@mkdir -p $(@D)
	$(Q)ln -sfn $(HV_XEN_INCLUDE) $@

# Offsets for assembly: the compiler writes them into a listing, sed makes symbols of it.
$(HV_B)/include/asm-offsets.inc: hypervisor/x86/asm-offsets.c | $(BUILD)/include/xen
	@mkdir -p $(@D)
	@echo "GEN $@"
	$(Q)$(CC) $(HV_CFLAGS) -MF $@.d -MT $@ -S -o $@.s $<
	@sed -n 's/.*->\([A-Z0-9_a-z]*\) \$$\?\(-\?[0-9]*\).*/.set \1, \2/p' $@.s > $@

$(HV_B)/%.c.o: hypervisor/%.c | $(BUILD)/include/xen
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(HV_CFLAGS) -c -o $@ $<

$(HV_B)/%.S.o: hypervisor/%.S $(HV_B)/include/asm-offsets.inc | $(BUILD)/include/xen
	@mkdir -p $(@D)
	@echo "AS $<"
	$(Q)$(CC) -g -MMD -m64 $(HV_CPPFLAGS) -D__ASSEMBLY__ -c -o $@ $<

$(HV_B)/tenue.lds: hypervisor/tenue.lds.S hypervisor/x86/layout.h
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -D__ASSEMBLY__ -Ihypervisor/x86 -o $@ $<

$(HV_B)/tenue.elf: $(HV_OBJ) $(HV_B)/tenue.lds
	@echo "LD $@"
	$(Q)ld -m elf_x86_64 -static -nostdlib -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments \
		--build-id=none -T $(HV_B)/tenue.lds -o $@ $(HV_OBJ)

# Flat: its first bytes are the 32-bit ELF header that loaders ask for (x86/boot.S).
$(HV_B)/tenue: $(HV_B)/tenue.elf
	@objcopy -O binary $< $@
	@echo "made $@ ($$(stat -c %s $@) bytes)"
