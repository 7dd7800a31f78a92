# SPDX-License-Identifier: MIT
# tests/sanitize: the system tests on a control domain whose programs were built with the address and undefined-behaviour
# sanitizers, from the same sources and rules. A sanitizer's report ends the process and fails the test.
SAN_B := $(BUILD)/sanitize
SAN_PROGRAMS := xenstore-lite/xenstore-lite toolstack/tenue backends/blkback backends/netback backends/conback planted
# Traps instead of a second run-time library, whose reports know only standard error; -no-pie, so that the addresses in a
# report are the file's own.
SAN_CFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fsanitize-undefined-trap-on-error \
	-fno-omit-frame-pointer -no-pie -fno-pie
SAN_COMMA := ,
SAN_LINK := $(SAN_B)/hook.o --wrap=seccomp_load --wrap=close_range --wrap=_exit
SAN_CC = $(CC) $(SAN_CFLAGS) $(SAN_LINK:%=-Wl$(SAN_COMMA)%)

$(SAN_B)/hook.o: tests/sanitize/hook.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(CFLAGS_USER) -fno-pie -c -o $@ $<

# The programs as the folders' own rules make them, below another directory and with another compiler line.
.PHONY: sanitized
sanitized: $(SAN_B)/hook.o
	@$(MAKE) --no-print-directory BUILD=$(SAN_B) CC='$(SAN_CC)' $(SAN_PROGRAMS:%=$(SAN_B)/%)
$(SAN_B)/control.cpio: sanitized
	@images/mkramdisk $@ tests/sanitize/control.manifest SANITIZE=$(SAN_B)


# Within that inner make only.
$(BUILD)/planted: tests/sanitize/planted.c $(BUILD)/backends/common/sandbox.o $(BUILD)/xenstore-lite/confine.o \
		$(BUILD)/xenstore-lite/log.o $(BUILD)/toolstack/confine.o $(BUILD)/toolstack/diag.o
	@echo "LD $@"
	$(Q)$(CC) $(CFLAGS_USER) -o $@ $(filter %.c %.o,$^) -lseccomp

# First, that they see anything from where our programs are.
.PHONY: check-sanitizers check-demo-sanitized soak-sanitized
check-sanitizers: sanitized
	@$(SAN_B)/planted
CHECK_UNIT += check-sanitizers
SAN_NEEDS := $(SAN_B)/control.cpio $(BUILD)/hypervisor/tenue $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control \
	$(IMAGES)/data.img
check-demo-sanitized: $(SAN_NEEDS)
	@TENUE_SANITIZED=$(SAN_B)/control.cpio tests/system/demo --hv tenue
CHECK_SYSTEM += check-demo-sanitized
# Everything goes wrong, and the toolstack's suite. Each has its own verdict; all are run.
soak-sanitized: $(SAN_NEEDS) $(FAULTS_NEEDS) ## the fault scenarios with sanitizers in our programs
	@export TENUE_SANITIZED=$(SAN_B)/control.cpio; a=0; \
	for s in faults killed-helpers full-disk; do tests/system/scenarios/$$s || a=1; done; \
	SANITIZED=1 $(MAKE) --no-print-directory TT_PROGRAMS=$(SAN_B) check-toolstack-on-tenue || a=1; exit $$a
SOAK += soak-sanitized
