# SPDX-License-Identifier: MIT
# Tests of xenstore-lite: unit tests (plain, and with address and undefined-behaviour sanitizers) and
# the daemon with Debian's own utilities, without a hypervisor.
XST_DIR := tests/xenstore
XST_UNIT := $(notdir $(basename $(wildcard $(XST_DIR)/unit/*.c)))
XST_BUILD := $(BUILD)/tests/xenstore
XST_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

CHECK_UNIT += check-xenstore-unit check-xenstore-native
DEPS_PACKAGES += libcunit1-dev xenstore-utils python3

$(XST_BUILD)/plain/%.o: $(XST_DIR)/unit/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_USER) -Ixenstore-lite -c -o $@ $<
$(XST_BUILD)/sanitized/%.o: $(XST_DIR)/unit/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_USER) $(XST_SANITIZE) -Ixenstore-lite -c -o $@ $<
$(XST_BUILD)/sanitized/core/%.o: xenstore-lite/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_USER) $(XST_SANITIZE) -c -o $@ $<

$(XST_BUILD)/unit: $(XST_UNIT:%=$(XST_BUILD)/plain/%.o) $(XSL_CORE_OBJS)
	$(CC) -o $@ $^ -lcunit
$(XST_BUILD)/unit-sanitized: $(XST_UNIT:%=$(XST_BUILD)/sanitized/%.o) \
		$(XSL_CORE:%=$(XST_BUILD)/sanitized/core/%.o)
	$(CC) $(XST_SANITIZE) -o $@ $^ -lcunit

.PHONY: check-xenstore-unit check-xenstore-native
check-xenstore-unit: $(XST_BUILD)/unit $(XST_BUILD)/unit-sanitized
	$(XST_BUILD)/unit xenstore-unit
	$(XST_BUILD)/unit-sanitized xenstore-unit-sanitized
check-xenstore-native: $(XSL_BIN)
	$(XST_DIR)/native.py $(XSL_BIN)
