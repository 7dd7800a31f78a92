# SPDX-License-Identifier: MIT
# Hosted tests of the backends: plain, and with address and undefined-behaviour sanitizers.
# On a real Xen: tests/backends/on-xen.sh (see its head).
BET_SUITES := main test_channel test_request test_packet test_guard test_console test_device test_blkback test_uring test_net test_conback \
	test_xsclient test_limit test_resume test_capture test_netcap captures
BET_SUITES += test_nbd test_qcow2 test_arena
BET_UNDER_TEST := common/limit common/limit_text common/channel common/recorder common/journal common/device common/sandbox block/request \
	block/pool block/pgrants \
	block/image block/uring block/queue block/gather block/capture block/serve block/blkback net/packet net/guard net/mirror net/mcast net/answers net/tap \
	net/throttle net/capture net/arena net/queue net/tx net/rx net/serve net/connect net/netback \
	console/backlog console/logfile console/conback host/xsclient
BET_UNDER_TEST += block/replay block/nbd block/no-uri host/nbduri host/qcow2 common/capture replay/capcheck replay/capfile replay/netcap
BET_BUILD := $(BUILD)/tests/backends
BET_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# Calls that a test wants to see on their way.
BET_WRAP := -Wl,--wrap=uring_fdatasync,--wrap=clock_gettime
BET_LIBS := $(BET_WRAP) -lcunit -luring -lseccomp $(BE_NBD_LIBS) -lpthread -lutil

CHECK_UNIT += check-backends check-backends-host
DEPS_PACKAGES += libcunit1-dev xenstore-utils python3

$(BET_BUILD)/plain/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(BE_CFLAGS) -c $< -o $@
$(BET_BUILD)/sanitized/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(BE_CFLAGS) $(BET_SANITIZE) -c $< -o $@

BET_SOURCES := $(BET_SUITES:%=tests/backends/%) tests/backends/fake/xen tests/backends/fake/clock tests/backends/fake/nbdserver $(BET_UNDER_TEST:%=backends/%)
$(BET_BUILD)/unit: $(BET_SOURCES:%=$(BET_BUILD)/plain/%.o)
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ $(BET_LIBS)
$(BET_BUILD)/unit-sanitized: $(BET_SOURCES:%=$(BET_BUILD)/sanitized/%.o)
	@echo "LD $@"
	$(Q)$(CC) $(BET_SANITIZE) -o $@ $^ $(BET_LIBS)

.PHONY: check-backends check-backends-host
check-backends: $(BET_BUILD)/unit $(BET_BUILD)/unit-sanitized
	$(BET_BUILD)/unit backends
	$(BET_BUILD)/unit-sanitized backends-sanitized
check-backends-host: $(BE_O)/tenue-device $(BUILD)/xenstore-lite/xenstore-lite
	tests/backends/host.py $^

# What a backend, or the store, can do after somebody else has taken it over. Needs root.
CHECK_UNIT += check-confinement
BET_SUBVERTED := tests/backends/subverted/main tests/backends/subverted/attempts backends/common/sandbox \
	backends/block/uring xenstore-lite/confine xenstore-lite/log toolstack/confine toolstack/diag
$(BET_BUILD)/subverted: $(BET_SUBVERTED:%=$(BET_BUILD)/plain/%.o) $(BE_FILTERS)
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ -luring -lseccomp
.PHONY: check-confinement
check-confinement: $(BET_BUILD)/subverted
	$(BET_BUILD)/subverted

# Rings as a guest fills them: `make fuzz TARGET=block` or net (clang), journals as a process may leave them: TARGET=journal, captures as anybody may: TARGET=capture, and their seeds with any compiler.
BET_FUZZ := block net journal capture
BET_FUZZ_SOURCES := tests/backends/fuzz/guest tests/fuzz/lies tests/backends/fake/xen $(BET_UNDER_TEST:%=backends/%)
BET_FUZZ_WRAP := -Wl,--wrap=gntdev_map,--wrap=gntdev_unmap,--wrap=gntdev_copy
BET_FUZZ_WRAP_block := ,--wrap=uring_read,--wrap=uring_write,--wrap=uring_punch
BET_FUZZ_WRAP_journal := $(BET_FUZZ_WRAP_block)
$(BET_BUILD)/fuzzed/%.o: %.c
	@mkdir -p $(@D)
	@echo "CLANG $<"
	$(Q)clang $(subst -O2,-O1,$(BE_CFLAGS)) $(BET_SANITIZE) -fsanitize=fuzzer-no-link \
		-fsanitize-coverage=trace-loads -c $< -o $@
define BET_FUZZ_RULES
$(BET_BUILD)/fuzz-$(1): $(BET_BUILD)/fuzzed/tests/backends/fuzz/$(1).o $(BET_FUZZ_SOURCES:%=$(BET_BUILD)/fuzzed/%.o)
	@clang $(BET_SANITIZE) -fsanitize=fuzzer $(BET_FUZZ_WRAP)$$(BET_FUZZ_WRAP_$(1)),--wrap=__asan_memcpy -o $$@ $$^ -luring -lseccomp $(BE_NBD_LIBS)
$(BET_BUILD)/replay-$(1): $(BET_BUILD)/sanitized/tests/backends/fuzz/$(1).o $(BET_BUILD)/sanitized/tests/fuzz/replay.o \
		$(BET_FUZZ_SOURCES:%=$(BET_BUILD)/sanitized/%.o)
	$(Q)$(CC) $(BET_SANITIZE) $(BET_FUZZ_WRAP)$$(BET_FUZZ_WRAP_$(1)) -o $$@ $$^ -luring -lseccomp $(BE_NBD_LIBS)
fuzz-$(1): $(BET_BUILD)/fuzz-$(1)
	$$(call FUZZ_RUN,$(1),$$<,2000,tests/fuzz/seeds/$(1))
endef
$(foreach t,$(BET_FUZZ),$(eval $(call BET_FUZZ_RULES,$(t))))
CHECK_UNIT += check-fuzz-rings
.PHONY: check-fuzz-rings $(BET_FUZZ:%=fuzz-%)
check-fuzz-rings: $(BET_FUZZ:%=$(BET_BUILD)/replay-%)
	@tests/fuzz/replay $(BET_BUILD)/replay- $(BET_FUZZ)
