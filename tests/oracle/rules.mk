# SPDX-License-Identifier: MIT
# tests/oracle: the test guests on our hypervisor and on Debian's Xen 4.17, every answer noted (tests/guests/common/record.h) and
# compared. Guests and SDK are built once more for it, from the same sources.
ORA_B := $(BUILD)/oracle
# Not those that end in a crash, that race or draw lots, that make more calls than are noted, or that fail with a recorder in
# their image (twin-paths, on both).
ORA_GUESTS := $(filter-out crash-% absent close-in-handler entry-bits flip-inputs hostile-sweep race-types legacy-section log-flood low-half scale share smp-storm spin storms twin-paths,$(GUESTS))
ORA_CFLAGS = $(GUEST_CFLAGS) -DRECORD_DUMP
ORA_FRONT := $(patsubst frontends/%,$(ORA_B)/front/%.o,$(FRONT_SRC))

$(ORA_B)/front/%.o: frontends/% | $(FRONT_B)/include/xen
	@mkdir -p $(@D)
	@$(CC) $(FRONT_CFLAGS) -DFRONT_RECORD -c -o $@ $<
$(ORA_B)/libtenue-front.a: $(ORA_FRONT)
	@rm -f $@
	@ar rcsD $@ $^
$(ORA_B)/record.o: tests/guests/common/record.c | $(FRONT_B)/include/xen
	@mkdir -p $(@D)
	@$(CC) $(ORA_CFLAGS) -c -o $@ $<
define ORA_RULES
$(ORA_B)/obj/$(1)/%.o: tests/guests/%.c | $(FRONT_B)/include/xen
	@mkdir -p $$(@D)
	@$$(CC) $$(ORA_CFLAGS) -DFRONT_RECORD -DGUEST_NAME='"$(1)"' -c -o $$@ $$<
$(ORA_B)/$(1): $(ORA_B)/obj/$(1)/$(1)/main.o $(ORA_B)/obj/$(1)/common/guest.o $(ORA_B)/record.o \
		$(FRONT_B)/x86/flavour-$(or $(GUEST_FLAVOUR_$(1)),high).S.o $(ORA_B)/libtenue-front.a \
		$(FRONT_B)/guest-$(or $(GUEST_FLAVOUR_$(1)),high).lds
	@echo "LD $$@"
	$(Q)ld -m elf_x86_64 -static --no-warn-rwx-segments --build-id=none -z noexecstack \
		-T $(FRONT_B)/guest-$(or $(GUEST_FLAVOUR_$(1)),high).lds -o $$@ $$(filter %.o %.a,$$^)
endef
$(foreach g,$(ORA_GUESTS),$(eval $(call ORA_RULES,$(g))))

# The reference's examples, too: every operation there is. `examples/NAME` to compare.
# Xen 4.17 panics at the prepare_msix of a device without MSI-X, which physdev_op's example names.
ORA_EXAMPLES := $(filter-out physdev_op refused tenue_op,$(EXHC))
define ORA_EXAMPLE_RULES
$(ORA_B)/examples/$(1): $(EXHC_B)/obj/$(1)/$(1).o $(EXHC_B)/obj/$(1)/example.o $(EXHC_B)/obj/$(1)/guest.o $(ORA_B)/record.o \
		$(FRONT_B)/x86/flavour-high.S.o $(ORA_B)/libtenue-front.a $(FRONT_B)/guest-high.lds
	@mkdir -p $$(@D)
	@echo "LD $$@"
	$(Q)ld -m elf_x86_64 -static --no-warn-rwx-segments --build-id=none -z noexecstack -T $(FRONT_B)/guest-high.lds -o $$@ \
		$$(filter %.o %.a,$$^)
endef
$(foreach g,$(ORA_EXAMPLES),$(eval $(call ORA_EXAMPLE_RULES,$(g))))

# ORACLE="name... examples/name..." compares only those, and leaves the published page as it is.
ORACLE ?= $(ORA_GUESTS) $(ORA_EXAMPLES:%=examples/%)
# $(1): ours or xen, $(2): the hypervisor.
ORA_RUN = $(foreach kind,guests examples,$(if $(call ORA_OF,$(kind)),tests/guests/run --hypervisor $(2) \
	--dir $(ORA_B)$(if $(filter examples,$(kind)),/examples) --suite $(1) --slow 4 \
	--logs $(ORA_B)/$(1)$(if $(filter examples,$(kind)),/examples) $(call ORA_OF,$(kind));))
ORA_OF = $(if $(filter examples,$(1)),$(patsubst examples/%,%,$(filter examples/%,$(ORACLE))),$(filter-out examples/%,$(ORACLE)))
.PHONY: oracle
oracle: $(ORACLE:%=$(ORA_B)/%) $(BUILD)/hypervisor/tenue $(XEN_IMAGE) ## the test guests here and on Xen 4.17, answers compared; ends with the agreement
	-@$(call ORA_RUN,ours,$(BUILD)/hypervisor/tenue)
	-@$(call ORA_RUN,xen,$(XEN_IMAGE) --oracle)
	@tests/oracle/compare $(if $(filter command,$(origin ORACLE)),--no-page) $(ORA_B) $(ORACLE)
