# SPDX-License-Identifier: MIT
# The SDK's drivers against other ends that an input makes: `make fuzz TARGET=blkfront`, netfront or xenbus (clang), and
# their seeds with any compiler, in `make check`.
FT_FUZZ := blkfront netfront xenbus
FT_FUZZ_B := $(FT_B)/fuzz
FT_FUZZ_CFLAGS := -D_GNU_SOURCE $(FT_CFLAGS) -Itests/frontends
FT_FUZZ_DRIVER = tests/frontends/fake tests/frontends/fuzz/backend frontends/core/device
# What each is made of: what the fuzzer changes the memory of, and what stands around it.
FT_FUZZ_SRC_blkfront := frontends/core/blkfront $(FT_FUZZ_DRIVER)
FT_FUZZ_SRC_netfront := frontends/core/netfront $(FT_FUZZ_DRIVER)
FT_FUZZ_SRC_xenbus := frontends/core/console frontends/core/printf
FUZZ_OWN_RULES += $(FT_FUZZ)

$(FT_FUZZ_B)/clang/frontends/%.o: FT_LOADS := -fsanitize-coverage=trace-loads
$(FT_FUZZ_B)/clang/tests/frontends/fuzz/xenbus.o: FT_LOADS := -fsanitize-coverage=trace-loads
$(FT_FUZZ_B)/clang/%.o: %.c
	@mkdir -p $(@D)
	@echo "CLANG $<"
	$(Q)clang $(subst -O2,-O1,$(FT_FUZZ_CFLAGS)) -fsanitize=fuzzer-no-link $(FT_LOADS) -c -o $@ $<
$(FT_FUZZ_B)/plain/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(FT_FUZZ_CFLAGS) -c -o $@ $<
define FT_FUZZ_RULES
FT_FUZZ_OBJ_$(1) := $(FT_FUZZ_SRC_$(1):%=%.o) tests/frontends/fuzz/$(1).o tests/frontends/fuzz/hostile.o tests/fuzz/lies.o
$(FT_FUZZ_B)/$(1): $$(FT_FUZZ_OBJ_$(1):%=$(FT_FUZZ_B)/clang/%)
	@clang -fsanitize=address,undefined -fsanitize=fuzzer -Wl,--wrap=__asan_memcpy -o $$@ $$^
$(FT_FUZZ_B)/replay-$(1): $$(FT_FUZZ_OBJ_$(1):%=$(FT_FUZZ_B)/plain/%) $(FT_FUZZ_B)/plain/tests/fuzz/replay.o
	$$(Q)$$(CC) -fsanitize=address,undefined -o $$@ $$^
fuzz-$(1): $(FT_FUZZ_B)/$(1)
	$$(call FUZZ_RUN,$(1),$$<,2000,tests/fuzz/seeds/$(1))
endef
$(foreach t,$(FT_FUZZ),$(eval $(call FT_FUZZ_RULES,$(t))))
.PHONY: $(FT_FUZZ:%=fuzz-%) check-fuzz-frontends
CHECK_UNIT += check-fuzz-frontends
check-fuzz-frontends: $(FT_FUZZ:%=$(FT_FUZZ_B)/replay-%)
	@tests/fuzz/replay $(FT_FUZZ_B)/replay- $(FT_FUZZ)
