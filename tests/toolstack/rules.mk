# SPDX-License-Identifier: MIT
# Unit tests of the toolstack's pure modules, plain and sanitized; fuzz targets.
TT_O := $(BUILD)/tests/toolstack
TT_TESTS := main test_config test_elf test_zeros test_json test_unpack test_verdict test_layout test_parts test_timeline test_cpulist imagegen
TT_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# Calls that a test wants to see on their way.
TT_LIBS := -Wl,--wrap=payload_find -lcunit -lz -llzma -lzstd -llz4 -lseccomp -lcjson -lm
TT_CFLAGS = $(CFLAGS_USER) -Ihypervisor/include/public -Ibackends/include

DEPS_PACKAGES += libcunit1-dev libcjson-dev

$(TT_O)/plain/%.o: tests/toolstack/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(TT_CFLAGS) -c $< -o $@
$(TT_O)/san/%.o: tests/toolstack/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(TT_CFLAGS) $(TT_SAN) -c $< -o $@
$(TT_O)/san/sandbox.o: backends/common/sandbox.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(TT_CFLAGS) $(TT_SAN) -c $< -o $@
$(TT_O)/san/ts-%.o: toolstack/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(TT_CFLAGS) $(TT_SAN) -c $< -o $@

$(TT_O)/unit: $(TT_TESTS:%=$(TT_O)/plain/%.o) $(TS_PURE:%=$(BUILD)/toolstack/%.o) \
		$(BUILD)/backends/common/sandbox.o $(BE_PURE:%=$(BUILD)/backends/%.o)
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ $(TT_LIBS)
$(TT_O)/unit-san: $(TT_TESTS:%=$(TT_O)/san/%.o) $(TS_PURE:%=$(TT_O)/san/ts-%.o) $(TT_O)/san/sandbox.o \
		$(BE_PURE:%=$(BUILD)/tests/backends/sanitized/backends/%.o)
	@echo "LD $@"
	$(Q)$(CC) $(TT_SAN) -o $@ $^ $(TT_LIBS)

.PHONY: check-toolstack-unit check-toolstack-unit-san
check-toolstack-unit: $(TT_O)/unit
	$(TT_O)/unit
check-toolstack-unit-san: $(TT_O)/unit-san
	$(TT_O)/unit-san
CHECK_UNIT += check-toolstack-unit check-toolstack-unit-san

# The command itself, as far as it goes without a hypervisor.
$(TT_O)/mkkernel: $(TT_O)/plain/mkkernel.o $(TT_O)/plain/imagegen.o $(BUILD)/toolstack/diag.o
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ -lz -llzma -lzstd -llz4
.PHONY: check-toolstack-dry-run
check-toolstack-dry-run: $(BUILD)/toolstack/tenue $(TT_O)/mkkernel
	tests/toolstack/dry-run.sh $^
CHECK_UNIT += check-toolstack-dry-run
# The guest files that are shipped, and examples of manual pages.
.PHONY: check-example-files
check-example-files: $(BUILD)/toolstack/tenue $(TT_O)/mkkernel
	tests/toolstack/examples.sh $^
CHECK_UNIT += check-example-files
DEPS_PACKAGES += iproute2 util-linux qemu-utils qemu-system-common busybox-static

# On Debian's Xen and on ours, with our store; the images are those of the reference machine under the names that on-xen.sh
# wants.
TT_KIT := $(TT_O)/kit
TT_PROGRAMS ?= $(BUILD)
TT_HV_xen := $(IMAGES)/xen
TT_HV_tenue := $(BUILD)/hypervisor/tenue
.PHONY: check-toolstack-on-xen check-toolstack-on-tenue
CHECK_SYSTEM += check-toolstack-on-xen check-toolstack-on-tenue
check-toolstack-on-xen: $(TT_HV_xen)
check-toolstack-on-tenue: $(TT_HV_tenue)
check-toolstack-on-xen check-toolstack-on-tenue: check-toolstack-on-%: $(BUILD)/toolstack/tenue $(BE_PROGRAMS) \
		$(BUILD)/xenstore-lite/xenstore-lite $(IMAGES)/control.cpio $(IMAGES)/guest.cpio \
		$(IMAGES)/vmlinux-control $(IMAGES)/vmlinuz-control
	@mkdir -p $(TT_KIT)/$*
	@ln -sf $(CURDIR)/$(TT_HV_$*) $(TT_KIT)/$*/xen
	@ln -sf $(CURDIR)/$(IMAGES)/vmlinux-control $(TT_KIT)/$*/vmlinux
	@ln -sf $(CURDIR)/$(IMAGES)/vmlinuz-control $(TT_KIT)/$*/vmlinuz
	@ln -sf $(CURDIR)/$(IMAGES)/control.cpio $(TT_KIT)/$*/dom0.cpio
	@ln -sf $(CURDIR)/$(IMAGES)/guest.cpio $(TT_KIT)/$*/domu.cpio
	NAME=toolstack-on-$* BUILD=$(TT_PROGRAMS) STORE=lite tests/toolstack/on-xen.sh $(TT_KIT)/$*

# The programs of `make fuzz TARGET=guest_file` and image.
TT_FUZZ_FLAGS := -Ihypervisor/include/public -Ibackends/include -std=gnu11 -O1 -g -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
$(TT_O)/fuzz_%: tests/toolstack/fuzz_%.c $(TS_PURE:%=toolstack/%.c) backends/common/sandbox.c $(BE_PURE:%=backends/%.c)
	@mkdir -p $(@D)
	clang $(TT_FUZZ_FLAGS) -o $@ $^ -lz -llzma -lzstd -llz4 -lseccomp -lm
