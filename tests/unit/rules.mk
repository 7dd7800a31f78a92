# SPDX-License-Identifier: MIT
# tests/unit: the hypervisor's CORE and PV sources as an ordinary program over a fake machine, with
# every test_<module>.c, plain and under the sanitizers. tests/model uses the same objects.
UNIT_B := $(BUILD)/tests/unit
UNIT_HV_SRC := $(HV_HOSTED_SRC) $(wildcard tests/unit/fake/*.c)
UNIT_TEST_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_SUITES := $(patsubst tests/unit/test_%.c,%,$(UNIT_TEST_SRC))
UNIT_CFLAGS = $(subst -O2,-O1,$(CFLAGS_USER)) -fno-strict-aliasing -DTENUE_DEBUG=1 \
	-Ihypervisor/include -Ihypervisor/lib -Itests/unit/fake -I$(UNIT_B)
UNIT_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# fake/memory.c looks at memory on its way.
UNIT_LDFLAGS := -Wl,--wrap=hv_alloc_pages,--wrap=hv_free_pages,--wrap=heap_alloc,--wrap=heap_take \
	-Wl,--wrap=domain_alloc_frames,--wrap=domain_return_frame,--wrap=domain_create \
	-Wl,--wrap=memcpy,--wrap=memmove,--wrap=memset,--wrap=page_get_and_type
# Leaks are the audit's business: the code under test allocates in the arena, which is no heap.
UNIT_ENV := ASAN_OPTIONS=detect_leaks=0 timeout 600
DEPS_PACKAGES += libcunit1-dev libxen-dev

UNIT_HV_OBJ = $(patsubst %.c,$(UNIT_B)/$(1)/%.o,$(UNIT_HV_SRC))
UNIT_OBJ = $(call UNIT_HV_OBJ,$(1)) $(patsubst %.c,$(UNIT_B)/$(1)/%.o,tests/unit/main.c $(UNIT_TEST_SRC))

# Rewritten when the set of test files changes, and only then.
$(UNIT_B)/suites.h: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(foreach s,$(UNIT_SUITES),'SUITE($(s))') | cmp -s - $@ || \
		printf '%s\n' $(foreach s,$(UNIT_SUITES),'SUITE($(s))') > $@
.PHONY: FORCE
FORCE:

$(UNIT_B)/plain/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(UNIT_CFLAGS) -c -o $@ $<
$(UNIT_B)/sanitize/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC (sanitizers) $<"
	$(Q)$(CC) $(UNIT_CFLAGS) $(UNIT_SANITIZE) -c -o $@ $<
$(UNIT_B)/plain/tests/unit/main.o $(UNIT_B)/sanitize/tests/unit/main.o: $(UNIT_B)/suites.h

$(UNIT_B)/unit-plain: $(call UNIT_OBJ,plain)
	$(Q)$(CC) $(UNIT_LDFLAGS) -o $@ $^ -lcunit
$(UNIT_B)/unit-sanitize: $(call UNIT_OBJ,sanitize)
	$(Q)$(CC) $(UNIT_SANITIZE) $(UNIT_LDFLAGS) -o $@ $^ -lcunit

CHECK_UNIT += check-unit-hv
.PHONY: check-unit-hv
check-unit-hv: $(UNIT_B)/unit-plain $(UNIT_B)/unit-sanitize
	@$(UNIT_B)/unit-plain > $(UNIT_B)/plain.log 2>&1 || { cat $(UNIT_B)/plain.log; exit 1; }
	@$(UNIT_ENV) $(UNIT_B)/unit-sanitize > $(UNIT_B)/sanitize.log 2>&1 || { cat $(UNIT_B)/sanitize.log; \
		tail -n 1 $(UNIT_B)/sanitize.log | grep -q '^check-unit-hv:' || echo "check-unit-hv: 0 passed, 1 failed"; exit 1; }
	@tail -n 1 $(UNIT_B)/sanitize.log

# --- tests/model: random operations against the audit ---
MODEL_SEEDS ?= 400
SOAK_SEEDS ?= 50000

$(UNIT_B)/model-%: $(UNIT_B)/%/tests/model/model_mmu.o
	$(Q)$(CC) $(if $(filter sanitize,$*),$(UNIT_SANITIZE)) $(UNIT_LDFLAGS) -o $@ $^
$(UNIT_B)/model-plain: $(patsubst %.c,$(UNIT_B)/plain/%.o,$(UNIT_HV_SRC))
$(UNIT_B)/model-sanitize: $(patsubst %.c,$(UNIT_B)/sanitize/%.o,$(UNIT_HV_SRC))

.SECONDARY: $(UNIT_B)/plain/tests/model/model_mmu.o $(UNIT_B)/sanitize/tests/model/model_mmu.o

CHECK_UNIT += check-model-mmu
SOAK_UNIT += soak-model-mmu
.PHONY: check-model-mmu soak-model-mmu
check-model-mmu: $(UNIT_B)/model-sanitize
	@$(UNIT_ENV) $< 1 $(MODEL_SEEDS) || { echo "check-model-mmu: 0 passed, 1 failed"; exit 1; }
# Other seeds each time, unless SEED says which.
soak-model-mmu: $(UNIT_B)/model-plain
	@$< $(if $(SEED),$(SEED),$$(date +%s)000) $(SOAK_SEEDS) || { echo "soak-model-mmu: 0 passed, 1 failed"; exit 1; }
