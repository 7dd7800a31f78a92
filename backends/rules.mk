# SPDX-License-Identifier: MIT
# Device backends, the library that hosts them, and the single-device command.
BE_CFLAGS := $(CFLAGS_USER) -D__XEN_INTERFACE_VERSION__=0x00040e00 -Ibackends/include
BE_COMMON := channel recorder journal gntdev evtchn log sandbox device limit
BE_BLOCK := request pool pgrants image uring queue gather capture serve blkback
BE_NET := packet guard mirror mcast answers tap throttle capture arena queue tx rx serve connect netback
BE_CONSOLE := backlog logfile conback
# Pure parts of the host's library that others use alone.
BE_PURE := common/capture common/knobs common/limit common/limit_text common/meter
BE_HOST := devhost device process relay spawn nodes check resources imagefile interface pty mirror capture kernel words xsclient
BE_HOST += link nbduri helper chain qcow2

BE_O := $(BUILD)/backends
BE_COMMON_O := $(BE_COMMON:%=$(BE_O)/common/%.o)
BE_XEN_LIBS = $(call static_link,-luring -lxengnttab -lxenevtchn -lxentoollog -lxentoolcore -lseccomp)

BE_NBD := replay nbd no-uri
BE_NBD_LIBS := -Wl,-Bstatic -lnbd -Wl,-Bdynamic -lgnutls

# Their filters, made now. With sanitizers they are made at run time, since those want a call more.
BE_FILTERS := $(if $(findstring -fsanitize,$(CC)),,$(BE_O)/filters.o)
$(BE_O)/mkfilters: $(BE_O)/helper/mkfilters.o $(BE_O)/common/sandbox.o
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ -lseccomp
$(BE_O)/filters.c: $(BE_O)/mkfilters
	$(Q)$< >$@.part && mv $@.part $@
$(BE_O)/filters.o: $(BE_O)/filters.c
	$(Q)$(CC) $(BE_CFLAGS) -c $< -o $@

BE_LAYOUT := $(BE_O)/start.ld
$(BE_LAYOUT): backends/start.list backends/helper/layout
	@mkdir -p $(@D)
	$(Q)backends/helper/layout $< >$@.part && mv $@.part $@

# The block backend once more, without Xen: replay/memory.c is its grants and event channels.
BE_REPLAY := capcheck capfile memory backend pace front series report blkreport command target blkreplay
BE_REPLAY_O := $(BE_REPLAY:%=$(BE_O)/replay/%.o) $(BE_BLOCK:%=$(BE_O)/block/%.o) $(BE_NBD:%=$(BE_O)/block/%.o) $(BE_O)/host/nbduri.o \
	$(patsubst %,$(BE_O)/common/%.o,$(filter-out gntdev evtchn,$(BE_COMMON)) capture knobs)

# The network backend likewise; in place of its tap, replay/netsink.c's frames.
BE_NETREPLAY := capcheck netcap memory backend pace netsink netfront series report netreport command netreplay
BE_NETREPLAY_O := $(BE_NETREPLAY:%=$(BE_O)/replay/%.o) $(BE_NET:%=$(BE_O)/net/%.o) \
	$(patsubst %,$(BE_O)/common/%.o,$(filter-out gntdev evtchn,$(BE_COMMON)) capture)
BE_NETREPLAY_WRAP := -Wl,--wrap=tap_set_offload,--wrap=tap_attach,--wrap=tap_read,--wrap=tap_write,--wrap=tap_discard

BE_PROGRAMS := $(BE_O)/netreplay $(BE_O)/blkback $(BE_O)/blkback-nbd $(BE_O)/blkreplay $(BE_O)/imagefd.so $(BE_O)/netback $(BE_O)/conback
ALL_TARGETS += $(BE_PROGRAMS) $(BE_O)/libtenue-devhost.a $(BE_O)/tenue-device
DEPS_PACKAGES += libxen-dev liburing-dev libevent-dev libseccomp-dev libnbd-dev libgnutls28-dev

.PHONY: backends
backends: $(BE_PROGRAMS) $(BE_O)/libtenue-devhost.a $(BE_O)/tenue-device

$(BE_O)/%.o: backends/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(BE_CFLAGS) -c $< -o $@

$(BE_O)/blkback: $(BE_COMMON_O) $(BE_BLOCK:%=$(BE_O)/block/%.o) $(BE_O)/block/main.o $(BE_FILTERS) $(BE_LAYOUT)
	@echo "LD $@"
	$(Q)$(CC) -o $@ $(filter-out %.ld,$^) $(call laid_out,$(BE_LAYOUT)) $(BE_XEN_LIBS)
$(BE_O)/blkback-nbd: $(BE_COMMON_O) $(BE_BLOCK:%=$(BE_O)/block/%.o) $(BE_NBD:%=$(BE_O)/block/%.o) $(BE_O)/block/main-nbd.o
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ -Wl,-Bstatic -luring -lxengnttab -lxenevtchn -lxentoollog -lxentoolcore -lseccomp $(BE_NBD_LIBS)
$(BE_O)/blkreplay: $(BE_REPLAY_O)
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ -Wl,-Bstatic -luring -lseccomp $(BE_NBD_LIBS) -lpthread
$(BE_O)/netreplay: $(BE_NETREPLAY_O)
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ $(BE_NETREPLAY_WRAP) -Wl,-Bstatic -lseccomp -Wl,-Bdynamic -lpthread
$(BE_O)/netback: $(BE_COMMON_O) $(BE_NET:%=$(BE_O)/net/%.o) $(BE_O)/net/main.o $(BE_FILTERS) $(BE_LAYOUT)
	@echo "LD $@"
	$(Q)$(CC) -o $@ $(filter-out %.ld,$^) $(call laid_out,$(BE_LAYOUT)) $(BE_XEN_LIBS)
$(BE_O)/conback: $(BE_COMMON_O) $(BE_CONSOLE:%=$(BE_O)/console/%.o) $(BE_O)/console/main.o $(BE_FILTERS) $(BE_LAYOUT)
	@echo "LD $@"
	$(Q)$(CC) -o $@ $(filter-out %.ld,$^) $(call laid_out,$(BE_LAYOUT)) $(BE_XEN_LIBS)

# Loaded into another program, so it is position-independent throughout.
$(BE_O)/imagefd.so: backends/helper/imagefd.c backends/common/sandbox.c backends/common/sandbox.h backends/helper/imagefd.h
	@mkdir -p $(@D)
	@echo "LD $@"
	$(Q)$(CC) $(filter-out -MMD -MP,$(BE_CFLAGS)) -fPIC -fvisibility=hidden -shared -o $@ $(filter %.c,$^) -lseccomp

$(BE_O)/libtenue-devhost.a: $(BE_HOST:%=$(BE_O)/host/%.o) $(BE_PURE:%=$(BE_O)/%.o) $(BE_O)/common/channel.o
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^
$(BE_O)/tenue-device: $(BE_O)/cli/main.o $(BE_O)/libtenue-devhost.a
	@echo "LD $@"
	$(Q)$(CC) -o $@ $^ -levent_core
