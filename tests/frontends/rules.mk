# SPDX-License-Identifier: MIT
# tests/frontends: the SDK's drivers as an ordinary program, with sanitizers.
FT_B := $(BUILD)/tests/frontends
FT_CFLAGS := $(CFLAGS_USER) -fsanitize=address,undefined -fno-sanitize-recover=all -Ifrontends/include \
	-D__XEN_INTERFACE_VERSION__=0x00040e00
CHECK_UNIT += check-frontends

$(FT_B)/unit: tests/frontends/test_blkfront.c frontends/core/blkfront.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(FT_CFLAGS) -o $@ $(filter %.c,$^)
.PHONY: check-frontends
check-frontends: $(FT_B)/unit
	@$<
