# SPDX-License-Identifier: MIT
# The store daemon, and its objects without main() and without Xen's libraries for the tests.
XSL_DIR := xenstore-lite
# From the bottom up: each uses those before it.
XSL_CORE := wire log hv_none journal perms node store difference quota domains conn watch transaction client ring life \
	audit request control ops resume turn
XSL_MAIN := guarded confine privcmd keeper xen sock main
XSL_BIN := $(BUILD)/xenstore-lite/xenstore-lite
XSL_LIBS := -levent_core -lxenevtchn -lxengnttab -lxencall -lseccomp
XSL_CORE_OBJS := $(XSL_CORE:%=$(BUILD)/xenstore-lite/%.o)
# How the backends are confined, the store is.
XSL_OBJS := $(XSL_CORE_OBJS) $(XSL_MAIN:%=$(BUILD)/xenstore-lite/%.o) $(BUILD)/backends/common/sandbox.o

XSL_GUARD := $(BUILD)/xenstore-lite/store-guard

ALL_TARGETS += $(XSL_BIN) $(XSL_GUARD)
DEPS_PACKAGES += libevent-dev libxen-dev libseccomp-dev

$(BUILD)/xenstore-lite/%.o: $(XSL_DIR)/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(CFLAGS_USER) -c -o $@ $<

$(XSL_BIN): $(XSL_OBJS)
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ $(XSL_LIBS)

# The daemon starts it, so whoever needs the daemon needs both.
$(XSL_BIN): | $(XSL_GUARD)
# (The sanitizers' build wraps a function of libseccomp in every program.)
$(XSL_GUARD): $(BUILD)/xenstore-lite/guard.o $(XSL_CORE_OBJS)
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ -Wl,--as-needed -lseccomp
