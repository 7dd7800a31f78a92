# SPDX-License-Identifier: MIT
# Tests of xenstore-lite: unit tests (plain, and with address and undefined-behaviour sanitizers) and
# the daemon with Debian's own utilities, without a hypervisor.
XST_DIR := tests/xenstore
XST_UNIT := $(notdir $(basename $(wildcard $(XST_DIR)/unit/*.c)))
XST_BUILD := $(BUILD)/tests/xenstore
# test_memory.c stands between the daemon's objects and the allocator
XST_WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=reallocarray,--wrap=strndup
XST_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

CHECK_UNIT += check-xenstore-unit check-xenstore-native check-xenstore-confined check-xenstore-killed
DEPS_PACKAGES += libcunit1-dev xenstore-utils python3

$(XST_BUILD)/plain/%.o: $(XST_DIR)/unit/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(CFLAGS_USER) -Ixenstore-lite -c -o $@ $<
$(XST_BUILD)/sanitized/%.o: $(XST_DIR)/unit/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(CFLAGS_USER) $(XST_SANITIZE) -Ixenstore-lite -c -o $@ $<
$(XST_BUILD)/sanitized/core/%.o: xenstore-lite/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(CFLAGS_USER) $(XST_SANITIZE) -c -o $@ $<

$(XST_BUILD)/unit: $(XST_UNIT:%=$(XST_BUILD)/plain/%.o) $(XSL_CORE_OBJS)
	@echo "LD $@"
	$(Q)$(CC) $(XST_WRAP) -o $@ $^ -lcunit
$(XST_BUILD)/unit-sanitized: $(XST_UNIT:%=$(XST_BUILD)/sanitized/%.o) \
		$(XSL_CORE:%=$(XST_BUILD)/sanitized/core/%.o)
	@echo "LD $@"
	$(Q)$(CC) $(XST_SANITIZE) $(XST_WRAP) -o $@ $^ -lcunit

.PHONY: check-xenstore-unit check-xenstore-native check-xenstore-confined check-xenstore-killed
check-xenstore-unit: $(XST_BUILD)/unit $(XST_BUILD)/unit-sanitized
	$(XST_BUILD)/unit xenstore-unit
	$(XST_BUILD)/unit-sanitized xenstore-unit-sanitized
check-xenstore-native: $(XSL_BIN)
	$(XST_DIR)/native.py $(XSL_BIN)
check-xenstore-killed: $(XSL_BIN)
	$(XST_DIR)/killed.py $(XSL_BIN) 60
check-xenstore-confined: $(XSL_BIN)
	$(XST_DIR)/confined.py $(XSL_BIN)
	$(XST_DIR)/hostile.py $(XSL_BIN)

# On Debian's Xen in the emulator; XEN_KIT names a directory with its parts (see on-xen.sh).
.PHONY: check-xenstore-on-xen
check-xenstore-on-xen: $(XSL_BIN)
	$(XST_DIR)/on-xen.sh $(XSL_BIN)

# The program of `make fuzz TARGET=store`.
XST_FUZZ_FLAGS := -std=gnu11 -O1 -g -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=all -Ixenstore-lite

$(XST_BUILD)/fuzz_store: $(XST_DIR)/fuzz/fuzz_store.c $(XSL_CORE:%=xenstore-lite/%.c) \
		$(wildcard xenstore-lite/*.h)
	@mkdir -p $(@D)
	clang $(XST_FUZZ_FLAGS) -o $@ $(filter %.c,$^)

# Its seeds, with any compiler.
$(XST_BUILD)/sanitized/fuzz/%.o: $(XST_DIR)/fuzz/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(CFLAGS_USER) $(XST_SANITIZE) -Ixenstore-lite -c -o $@ $<
$(XST_BUILD)/sanitized/fuzz/replay.o: tests/fuzz/replay.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(CFLAGS_USER) $(XST_SANITIZE) -c -o $@ $<
$(XST_BUILD)/replay-store: $(XST_BUILD)/sanitized/fuzz/fuzz_store.o $(XST_BUILD)/sanitized/fuzz/replay.o \
		$(XSL_CORE:%=$(XST_BUILD)/sanitized/core/%.o)
	@echo "LD $@"
	$(Q)$(CC) $(XST_SANITIZE) -o $@ $^
CHECK_UNIT += check-fuzz-store
.PHONY: check-fuzz-store
check-fuzz-store: $(XST_BUILD)/replay-store
	@tests/fuzz/replay $(XST_BUILD)/replay- store
