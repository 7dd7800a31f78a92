# SPDX-License-Identifier: MIT
# tests/frontends: the SDK's drivers as ordinary programs, with sanitizers.
FT_B := $(BUILD)/tests/frontends
FT_CFLAGS := $(CFLAGS_USER) -fsanitize=address,undefined -fno-sanitize-recover=all -Ifrontends/include -Ifrontends/core \
	-D__XEN_INTERFACE_VERSION__=0x00040e00
FT_DRIVERS := blkfront netfront
FT_PARTS := console heap tar xenbus
FT_CORE := $(patsubst frontends/%,$(FRONT_B)/%.o,$(wildcard frontends/core/*.c))
FT_PROGRAMS := $(addprefix $(FT_B)/,$(FT_DRIVERS) $(FT_PARTS))
CHECK_UNIT += check-frontends

$(FT_DRIVERS:%=$(FT_B)/%): $(FT_B)/%: tests/frontends/test_%.c tests/frontends/fake.c frontends/core/%.c frontends/core/device.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(FT_CFLAGS) -o $@ $(filter %.c,$^)
$(FT_B)/xenbus: frontends/core/printf.c
$(FT_PARTS:%=$(FT_B)/%): $(FT_B)/%: tests/frontends/test_%.c frontends/core/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(FT_CFLAGS) -o $@ $(filter %.c,$^)
.PHONY: check-frontends
check-frontends: $(FT_PROGRAMS) $(FT_CORE)
	@for p in $(FT_PROGRAMS) "tests/frontends/port $(FT_CORE)" tests/frontends/lines; do $$p || echo "$$p ended with status $$?: 0 passed, 1 failed"; done | \
		awk '{ print "  " $$0 } / passed, [0-9]+ failed$$/ { p += $$(NF-3); f += $$(NF-1) } \
			END { printf "frontends: %d passed, %d failed\n", p, f; exit f > 0 }'
include tests/frontends/fuzz.mk
