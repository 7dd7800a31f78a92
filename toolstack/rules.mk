# SPDX-License-Identifier: MIT
# The `tenue` command with its per-guest supervisor, and its tests.
TS_O := $(BUILD)/toolstack
TS_CFLAGS := $(CFLAGS_USER) -Ibackends/include -Ihypervisor/include/public
# Pure modules, which the unit tests and fuzzers link as they are.
TS_PURE := diag cpulist cfgparse config netspec nettext devspec diskserve vifserve json unpack elf zeros layout confine verdict image parts timeline
TS_SYSTEM := hv store build check netlink netstate program vifguard network netdhcp netprobe netverify netverbs labverb device domain handover supervise session ask create control suspend console list devlist limits devmeter resize vcpus audit machine watch top cost trace main
# The program holds its libraries: to look up and map three costs a million instructions in a PV domain, at each create.
TS_LIBS = $(call static_link,-lxencall -lxenforeignmemory -lxentoollog -lxentoolcore -levent_core -lz -llzma -lzstd -llz4 -lseccomp -lm)
# The C library says that getaddrinfo, for disks at an NBD server, finds no name services beyond files and DNS.
TS_LIBS += -Wl,--no-warnings

DEPS_PACKAGES += libxen-dev libevent-dev zlib1g-dev liblzma-dev libzstd-dev liblz4-dev \
	libseccomp-dev nftables dnsmasq-base

$(TS_O)/%.o: toolstack/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(TS_CFLAGS) -c $< -o $@

# The whole of the backends' library, so that a name which both have is an error.
$(TS_O)/tenue: $(TS_PURE:%=$(TS_O)/%.o) $(TS_SYSTEM:%=$(TS_O)/%.o) \
		$(BUILD)/backends/common/sandbox.o $(BUILD)/backends/libtenue-devhost.a $(TS_O)/start.ld
	@echo "LD $@"
	$(Q)$(CC) -o $@ $(filter-out %.ld %.a,$^) -Wl,--whole-archive $(filter %.a,$^) -Wl,--no-whole-archive $(call laid_out,$(TS_O)/start.ld) $(TS_LIBS)
$(TS_O)/start.ld: toolstack/start.list backends/helper/layout
	@mkdir -p $(@D)
	$(Q)backends/helper/layout $< >$@.part && mv $@.part $@

.PHONY: toolstack
toolstack: $(TS_O)/tenue
ALL_TARGETS += $(TS_O)/tenue
