# SPDX-License-Identifier: MIT
# tests/threads: the hypervisor's CORE and PV sources with a host thread for each CPU, under gcc's thread sanitizer.
THR_B := $(BUILD)/tests/threads
THR_CC := gcc
THR_CFLAGS = $(subst -O2,-O1,$(CFLAGS_USER)) -fno-strict-aliasing -DTENUE_DEBUG=1 -DFAKE_THREADS \
	-Ihypervisor/include -Ihypervisor/lib -Itests/unit/fake
# Volatile accesses are told apart (main.c).
THR_SANITIZE := -fsanitize=thread --param tsan-distinguish-volatile=1
# Definitions in tests/threads take the place of those in tests/unit/fake.
# What guests and their processors do, and the tests' own books, are not watched.
THR_UNWATCHED := $(addprefix tests/threads/,access.c control.c guest.c host.c) \
	$(addprefix tests/unit/fake/,hal.c machine.c memory.c tlb.c)
THR_WATCHED := $(HV_HOSTED_SRC) tests/threads/cpus.c tests/threads/main.c
THR_OBJ := $(patsubst %.c,$(THR_B)/%.o,$(THR_WATCHED) $(THR_UNWATCHED))

$(patsubst %.c,$(THR_B)/%.o,$(THR_WATCHED)): THR_FLAGS := $(THR_SANITIZE)
$(THR_B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC (threads) $<"
	$(Q)$(THR_CC) $(THR_CFLAGS) $(THR_FLAGS) -c -o $@ $<
	$(Q)$(if $(filter tests/unit/fake/%,$<),objcopy --weaken $@)

$(THR_B)/threads: $(THR_OBJ)
	$(Q)$(THR_CC) -fsanitize=thread -Wl,--wrap=pv_audit,--wrap=memmove -o $@ $^ -lpthread

# Four runs of some six seconds on a quiet machine; SEED=N tries another first seed.
THR_SEEDS = $(shell seq $(or $(SEED),1) $$(($(or $(SEED),1) + $(1) - 1)))
CHECK_UNIT += check-threads
SOAK_UNIT += soak-threads
.PHONY: check-threads soak-threads
check-threads: $(THR_B)/threads
	@tests/threads/run $@ $< 20000 $(call THR_SEEDS,4)
# Other seeds each time, unless SEED says which.
soak-threads: SEED := $(or $(SEED),$(shell date +%s))
soak-threads: $(THR_B)/threads
	@tests/threads/run $@ $< 50000 $(call THR_SEEDS,$(or $(RUNS),40))
