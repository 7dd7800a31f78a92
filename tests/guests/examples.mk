# SPDX-License-Identifier: MIT
# examples/hypercalls: a guest for each hypercall, whose functions are the reference manual's examples, and `refused`, which asks
# for what is not offered. They are test guests in all but place.
EXHC_B := $(BUILD)/examples/hypercalls
EXHC := $(filter-out example,$(basename $(notdir $(wildcard examples/hypercalls/*.c))))
EXHC_ELFS := $(EXHC:%=$(EXHC_B)/%)
EXHC_CFLAGS = $(GUEST_CFLAGS) -Iexamples/hypercalls

ALL_TARGETS += $(EXHC_ELFS)
CHECK_GUESTS += check-hypercall-examples

$(EXHC_B)/obj/record.o: tests/guests/common/record.c | $(FRONT_B)/include/xen
	@mkdir -p $(@D)
	@$(CC) $(GUEST_CFLAGS) -c -o $@ $<
define EXHC_RULES
$(EXHC_B)/obj/$(1)/%.o: examples/hypercalls/%.c | $(FRONT_B)/include/xen
	@mkdir -p $$(@D)
	@$$(CC) $$(EXHC_CFLAGS) -DFRONT_RECORD -DGUEST_NAME='"$(1)"' -DEXAMPLE_CALL=__HYPERVISOR_$(1) -c -o $$@ $$<
$(EXHC_B)/obj/$(1)/guest.o: tests/guests/common/guest.c | $(FRONT_B)/include/xen
	@mkdir -p $$(@D)
	@$$(CC) $$(EXHC_CFLAGS) -DGUEST_NAME='"$(1)"' -c -o $$@ $$<
$(EXHC_B)/$(1): $(EXHC_B)/obj/$(1)/$(1).o $(if $(filter refused,$(1)),,$(EXHC_B)/obj/$(1)/example.o) $(EXHC_B)/obj/record.o \
		$(EXHC_B)/obj/$(1)/guest.o $(FRONT_B)/x86/flavour-high.S.o $(FRONT_B)/libtenue-front.a $(FRONT_B)/guest-high.lds
	@echo "LD $$@"
	$(Q)ld -m elf_x86_64 -static --no-warn-rwx-segments --build-id=none -z noexecstack -T $(FRONT_B)/guest-high.lds -o $$@ \
		$$(filter %.o %.a,$$^)
endef
$(foreach g,$(EXHC),$(eval $(call EXHC_RULES,$(g))))

.PHONY: check-hypercall-examples abi-costs
check-hypercall-examples: $(EXHC_ELFS) $(BUILD)/hypervisor/tenue
	@mkdir -p $(EXHC_B)/logs
	@tests/guests/run --hypervisor $(BUILD)/hypervisor/tenue --dir $(EXHC_B) --suite $@ $(or $(ONLY_EXAMPLES),$(EXHC))

# What each costs, here and on Xen, into the manual: abi/costs.toml.
abi-costs: $(EXHC_ELFS) $(BUILD)/hypervisor/tenue $(XEN_IMAGE) ## what each hypercall costs, counted by its example, here and on Xen 4.17; some minutes
	@mkdir -p $(EXHC_B)/costs-ours $(EXHC_B)/costs-xen
	-@tests/guests/run --icount --hypervisor $(BUILD)/hypervisor/tenue --dir $(EXHC_B) --suite ours --slow 3 --logs $(EXHC_B)/costs-ours $(EXHC)
	-@tests/guests/run --icount --hypervisor $(XEN_IMAGE) --oracle --dir $(EXHC_B) --suite xen --slow 3 --logs $(EXHC_B)/costs-xen $(EXHC)
	@abi/costs $(EXHC_B)/costs-ours $(EXHC_B)/costs-xen
