# SPDX-License-Identifier: MIT
# tests/cov: how much of core and pv the hosted tests run. Everything hosted is built once more, with counters, in a tree
# of its own; without optimisation and sanitizers, whose branches are nobody's source.
COV_B := $(BUILD)/cov
COV_SEEDS ?= 4000

.PHONY: cov
cov: deps ## coverage of core and pv by the hosted tests, with the lines that none reaches
	@.ci/deps gcovr clang
	@$(MAKE) --no-print-directory BUILD=$(COV_B) CC="gcc --coverage -fprofile-abs-path" \
		CFLAGS_USER="$(subst -O2,-O0,$(CFLAGS_USER))" UNIT_SANITIZE= FUZZ_SANITIZE= $(COV_B)/tests/unit/unit-plain \
		$(COV_B)/tests/unit/model-plain $(COV_B)/tests/fuzz/hypercalls/hypercalls-plain \
		$(COV_B)/tests/fuzz/replay-kernel_image $(COV_B)/tests/fuzz/replay-emulator
	@tests/cov/run $(COV_B) $(COV_SEEDS)
