# SPDX-License-Identifier: MIT
# tests/guests: one folder a guest; each adds its name to GUESTS (GUEST_FLAVOUR_<name>: high unless said).
GUESTS_B := $(BUILD)/tests/guests
GUESTS :=
# Guests that need a toolstack and a peer: built here, run by the system tests.
GUESTS_DOMU :=
include $(wildcard tests/guests/*/rules.mk)
GUEST_ELFS := $(patsubst %,$(GUESTS_B)/%,$(GUESTS) $(GUESTS_DOMU))
GUEST_CFLAGS = $(FRONT_CFLAGS) -Itests/guests/common -Ihypervisor/include/public
# The oracle's image: Debian's Xen 4.17, unpacked. Name one with XEN_IMAGE=.
XEN_IMAGE ?= $(BUILD)/images/xen
DEPS_PACKAGES += qemu-system-x86 python3

ALL_TARGETS += $(GUEST_ELFS)
CHECK_GUESTS += run-guests

define GUEST_RULES
$(GUESTS_B)/obj/$(1)/%.o: tests/guests/%.c | $(FRONT_B)/include/xen
	@mkdir -p $$(@D)
	@$$(CC) $$(GUEST_CFLAGS) -DGUEST_NAME='"$(1)"' -c -o $$@ $$<

$(GUESTS_B)/$(1): $(GUESTS_B)/obj/$(1)/$(1)/main.o $(GUESTS_B)/obj/$(1)/common/guest.o \
		$(FRONT_B)/x86/flavour-$(or $(GUEST_FLAVOUR_$(1)),high).S.o \
		$(FRONT_B)/libtenue-front.a $(FRONT_B)/guest-$(or $(GUEST_FLAVOUR_$(1)),high).lds
	@echo "LD $$@"
	$(Q)$(FRONT_LD) \
		-T $(FRONT_B)/guest-$(or $(GUEST_FLAVOUR_$(1)),high).lds -o $$@ $$(filter %.o %.a,$$^)
endef
$(foreach g,$(GUESTS) $(GUESTS_DOMU),$(eval $(call GUEST_RULES,$(g))))

# ONLY="name..." runs only those.
ONLY ?= $(GUESTS)
.PHONY: guests run-guests check-guests-xen
guests: $(GUEST_ELFS) ## build the test guests

run-guests: $(GUEST_ELFS) $(BUILD)/hypervisor/tenue
	tests/guests/run --hypervisor $(BUILD)/hypervisor/tenue --dir $(GUESTS_B) $(ONLY)

# The same guests on Debian's Xen 4.17: do the tests state the ABI, or only our reading of it?
check-guests-xen: $(GUEST_ELFS) $(XEN_IMAGE) ## the test guests on Xen 4.17, the oracle
	tests/guests/run --hypervisor $(XEN_IMAGE) --oracle --dir $(GUESTS_B) $(ONLY)

# An image without diagnostics still is a hypervisor: what calls none.c, by hypercalls, traps, events and vcpus.
NODIAG_GUESTS := hello evtchn hypercall-abi multicall pin-unpin sched smp traps
CHECK_GUESTS += check-guests-nodiag
.PHONY: check-guests-nodiag
check-guests-nodiag: $(addprefix $(GUESTS_B)/,$(NODIAG_GUESTS)) hypervisor-nodiag
	@mkdir -p $(GUESTS_B)/logs-nodiag
	@tests/guests/run --hypervisor $(BUILD)/nodiag/hypervisor/tenue --dir $(GUESTS_B) --logs $(GUESTS_B)/logs-nodiag \
		$(NODIAG_GUESTS)

# The reference manual's examples are test guests, too.
include tests/guests/examples.mk
