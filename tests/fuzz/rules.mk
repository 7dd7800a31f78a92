# SPDX-License-Identifier: MIT
# tests/fuzz: libFuzzer targets, most of them over the fake machine of tests/unit. `make fuzz TARGET=... TIME=...` runs one;
# `make check` replays the seeds. A new target over the hypervisor's sources is tests/fuzz/<name>.c (or FUZZ_SRC_<name>)
# with LLVMFuzzerTestOneInput(), seeds in tests/fuzz/seeds/<name>/, and its name in FUZZ_HV.
FUZZ_B := $(BUILD)/tests/fuzz
FUZZ_HV := kernel_image emulator
# longest input worth trying
FUZZ_LEN_kernel_image := 8192
FUZZ_LEN_emulator := 400
# hypercalls.mk brings its own fuzz-hypercalls, tests/backends fuzz-block, fuzz-net, fuzz-journal and fuzz-capture.
FUZZ_OWN_RULES += hypercalls block net journal capture
-include tests/fuzz/hypercalls.mk
# Targets that other folders build, with the corpus that they start from.
FUZZ_ELSEWHERE := store guest_file image

FUZZ_HV_SRC := $(HV_HOSTED_SRC) $(wildcard tests/unit/fake/*.c)
FUZZ_CFLAGS = $(filter-out -Werror,$(subst -O2,-O1,$(CFLAGS_USER))) -fno-strict-aliasing -DTENUE_DEBUG=1 \
	-Ihypervisor/include -Ihypervisor/lib -Itests/unit/fake
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# --- the programs: with the fuzzer (clang), and as a replay of files (any compiler) ---
$(FUZZ_B)/clang/%.o: %.c
	@mkdir -p $(@D)
	@echo "CLANG $<"
	@clang $(FUZZ_CFLAGS) $(FUZZ_SANITIZE) -fsanitize=fuzzer-no-link -c -o $@ $<
define FUZZ_RULES
FUZZ_SRC_$(1) ?= tests/fuzz/$(1).c
$(FUZZ_B)/$(1): $$(FUZZ_SRC_$(1):%.c=$(FUZZ_B)/clang/%.o) $(FUZZ_HV_SRC:%.c=$(FUZZ_B)/clang/%.o)
	@clang $(FUZZ_SANITIZE) -fsanitize=fuzzer $$(UNIT_LDFLAGS) -o $$@ $$^
$(FUZZ_B)/replay-$(1): $$(FUZZ_SRC_$(1):%.c=$(BUILD)/tests/unit/sanitize/%.o) \
		$(BUILD)/tests/unit/sanitize/tests/fuzz/replay.o $(FUZZ_HV_SRC:%.c=$(BUILD)/tests/unit/sanitize/%.o)
	@mkdir -p $$(@D)
	@$$(CC) $(FUZZ_SANITIZE) $$(UNIT_LDFLAGS) -o $$@ $$^
.SECONDARY: $$(FUZZ_SRC_$(1):%.c=$(BUILD)/tests/unit/sanitize/%.o)
endef
$(foreach t,$(FUZZ_HV),$(eval $(call FUZZ_RULES,$(t))))

TARGET ?=
TIME ?= 60
.PHONY: fuzz $(FUZZ_HV:%=fuzz-%) $(FUZZ_ELSEWHERE:%=fuzz-%)
fuzz: ## fuzz one TARGET for TIME seconds; without TARGET: which there are
ifeq ($(TARGET),)
	@echo "make fuzz TARGET=<one of: $(FUZZ_HV) $(FUZZ_OWN_RULES) $(FUZZ_ELSEWHERE)> [TIME=seconds]"
else
	@.ci/deps clang libclang-rt-dev llvm $(sort $(DEPS_PACKAGES))
	@$(MAKE) --no-print-directory fuzz-$(TARGET)
endif

# New inputs stay in the build directory; one that fails is left there, too, and replayed by giving it as argument.
define FUZZ_RUN
@mkdir -p $(FUZZ_B)/corpus/$(1)
ASAN_OPTIONS=detect_leaks=0 $(2) -max_total_time=$(TIME) -max_len=$(3) -artifact_prefix=$(FUZZ_B)/$(1)- \
	-print_final_stats=1 $(FUZZ_B)/corpus/$(1) $(4)
endef
$(FUZZ_HV:%=fuzz-%): fuzz-%: $(FUZZ_B)/%
	$(call FUZZ_RUN,$*,$<,$(or $(FUZZ_LEN_$*),4096),$(wildcard tests/fuzz/seeds/$*))
fuzz-store: $(BUILD)/tests/xenstore/fuzz_store
	$(call FUZZ_RUN,store,$<,2000,tests/fuzz/seeds/store)
fuzz-guest_file: $(BUILD)/tests/toolstack/fuzz_config
	$(call FUZZ_RUN,guest_file,$<,2000,tests/fuzz/seeds/guest_file)
fuzz-image: $(BUILD)/tests/toolstack/fuzz_image $(BUILD)/tests/toolstack/mkkernel
	@mkdir -p $(FUZZ_B)/corpus/image
	@for k in linux low legacy program bzimage; do $(word 2,$^) $$k $(FUZZ_B)/corpus/image/$$k; done
	$(call FUZZ_RUN,image,$<,40000,)

# --- the seeds: any compiler, in every check ---
CHECK_UNIT += check-fuzz-seeds
.PHONY: check-fuzz-seeds
check-fuzz-seeds: $(FUZZ_HV:%=$(FUZZ_B)/replay-%)
	@tests/fuzz/replay $(FUZZ_B)/replay- $(FUZZ_HV)
