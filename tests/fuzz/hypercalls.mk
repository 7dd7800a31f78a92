# SPDX-License-Identifier: MIT
# The hypercall fuzzer (tests/fuzz/hypercalls): sequences of calls over the fake machine, audited after each call. With
# seeds in `make check` and `make soak-hypercalls TIME=...`; `make fuzz TARGET=hypercalls TIME=...` lets libFuzzer choose;
# `make soak-hypercalls-memory` is the build with MemorySanitizer.
HCF_B := $(BUILD)/tests/fuzz/hypercalls
HCF_SRC := call drive ops world
HCF_HV_SRC := $(HV_HOSTED_SRC) $(wildcard tests/unit/fake/*.c)
HCF_HV = $(HCF_HV_SRC:%.c=$(HCF_B)/$(1)/%.o) $(HCF_SRC:%=$(HCF_B)/$(1)/tests/fuzz/hypercalls/%.o)
# Counts that reach their limits (MM-10), stacks that start out filled (HC-3), and copies that fake/memory.c can look at.
HCF_CFLAGS = $(UNIT_CFLAGS) -DTENUE_NARROW_COUNTS -ftrivial-auto-var-init=pattern -fno-builtin
HCF_MEMORY := -fsanitize=memory -fsanitize-memory-track-origins -fno-omit-frame-pointer
HCF_CLANG_FLAGS = $(filter-out -Werror,$(HCF_CFLAGS))

$(HCF_B)/plain/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC (narrow counts) $<"
	@$(CC) $(subst -O1,-O2,$(HCF_CFLAGS)) -c -o $@ $<
# Half of the time goes into the audits, which only look: without sanitizers here, with them in tests/unit.
HCF_SANITIZE = $(UNIT_SANITIZE)
$(HCF_B)/sanitize/hypervisor/diag/audit%.o: HCF_SANITIZE :=
$(HCF_B)/sanitize/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC (sanitizers, narrow counts) $<"
	@$(CC) $(subst -O1,-O2,$(HCF_CFLAGS)) $(HCF_SANITIZE) -c -o $@ $<
$(HCF_B)/clang/%.o: %.c
	@mkdir -p $(@D)
	@echo "CLANG $<"
	@clang $(HCF_CLANG_FLAGS) $(UNIT_SANITIZE) -fsanitize=fuzzer-no-link -c -o $@ $<
$(HCF_B)/memory/%.o: %.c
	@mkdir -p $(@D)
	@echo "CLANG (memory sanitizer) $<"
	@clang $(subst -ftrivial-auto-var-init=pattern,,$(HCF_CLANG_FLAGS)) $(HCF_MEMORY) -c -o $@ $<

$(HCF_B)/hypercalls-plain: $(call HCF_HV,plain) $(HCF_B)/plain/tests/fuzz/hypercalls/main.o
	@$(CC) $(UNIT_LDFLAGS) -o $@ $^
$(HCF_B)/hypercalls: $(call HCF_HV,sanitize) $(HCF_B)/sanitize/tests/fuzz/hypercalls/main.o
	@$(CC) $(UNIT_SANITIZE) $(UNIT_LDFLAGS) -o $@ $^
$(HCF_B)/hypercalls-memory: $(call HCF_HV,memory) $(HCF_B)/memory/tests/fuzz/hypercalls/main.o
	@clang $(HCF_MEMORY) $(UNIT_LDFLAGS) -o $@ $^
$(HCF_B)/fuzz: $(call HCF_HV,clang) $(HCF_B)/clang/tests/fuzz/hypercalls/libfuzzer.o
	@clang $(UNIT_SANITIZE) -fsanitize=fuzzer $(UNIT_LDFLAGS) -o $@ $^

HYPERCALLS_SEEDS ?= 12000
HYPERCALLS_WORKERS ?= 2
CHECK_UNIT += check-hypercalls
SOAK_UNIT += soak-hypercalls
.PHONY: check-hypercalls fuzz-hypercalls soak-hypercalls soak-hypercalls-memory
check-hypercalls: $(HCF_B)/hypercalls
	@HYPERCALLS_NAME=$@ $(UNIT_ENV) $< 1 $(HYPERCALLS_SEEDS) 500 $(HYPERCALLS_WORKERS)
# For TIME seconds, with other seeds each time unless SEED says which.
HCF_SEEDS = $(if $(SEED),$(SEED),$$(date +%s)0000) 1000000000 $(TIME) $(HYPERCALLS_WORKERS)
soak-hypercalls: $(HCF_B)/hypercalls-plain
	@HYPERCALLS_NAME=$@ $< $(HCF_SEEDS)
# Does anything that a guest is given depend on what nobody set (HC-3)? clang's sanitizer knows each bit.
soak-hypercalls-memory: deps-fuzz
	@$(MAKE) --no-print-directory $(HCF_B)/hypercalls-memory
	@HYPERCALLS_NAME=$@ $(HCF_B)/hypercalls-memory $(HCF_SEEDS)
.PHONY: deps-fuzz
deps-fuzz:
	@.ci/deps clang libclang-rt-dev llvm
fuzz-hypercalls: $(HCF_B)/fuzz
	@mkdir -p $(BUILD)/tests/fuzz/corpus/hypercalls
	ASAN_OPTIONS=detect_leaks=0 $< -max_total_time=$(TIME) -max_len=6000 -artifact_prefix=$(HCF_B)/ -print_final_stats=1 \
		$(BUILD)/tests/fuzz/corpus/hypercalls
