# SPDX-License-Identifier: MIT
# abi/: the description of the hypercall ABI, and what is made of it: `make docs`.
ABI_B := $(BUILD)/abi
ABI_SRC := $(wildcard abi/*.toml abi/*.py) abi/generate
DEPS_PACKAGES += python3 libxen-dev

# Dispatch, stubs and names of traces lie in the tree; a change of the description makes them again.
ABI_MADE := hypervisor/include/tenue/hypercalls.def frontends/include/tenue-front/calls.h toolstack/abinames.h
$(ABI_MADE): $(ABI_B)/made ;
$(ABI_B)/made: $(ABI_SRC)
	@mkdir -p $(@D)
	$(Q)abi/generate --write
	@touch $@
ALL_TARGETS += $(ABI_B)/made

# Numbers, structures and types of fields against the public headers, by the compiler.
$(ABI_B)/asserts.c: $(ABI_SRC)
	@mkdir -p $(@D)
	$(Q)abi/generate --asserts > $@
$(ABI_B)/asserts.o: $(ABI_B)/asserts.c
	$(Q)$(CC) -std=gnu11 -Ihypervisor/include -c -o $@ $<
ALL_TARGETS += $(ABI_B)/asserts.o

.PHONY: docs
docs: $(ABI_B)/asserts.o ## the ABI's pages, tables and stubs from its description; fails if an operation lacks entry, page, test or decoder
	@abi/generate --write
	@abi/generate --missing

CHECK_UNIT += check-abi
.PHONY: check-abi
check-abi: ## the description is complete and true; planted defects are refused
	@abi/check
