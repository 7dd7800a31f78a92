# SPDX-License-Identifier: MIT
# frontends/: the guest SDK. build/frontends/libtenue-front.a, the linker scripts and the flavours.
FRONT_B := $(BUILD)/frontends
FRONT_STACK_SIZE := 16384
FRONT_SRC := $(wildcard frontends/core/*.c frontends/x86/*.c) frontends/x86/start.S frontends/x86/entry.S
FRONT_OBJ := $(patsubst frontends/%,$(FRONT_B)/%.o,$(FRONT_SRC))
FRONT_FLAVOURS := high low legacy
FRONT_VIRT_BASE_high := 0xffffffff80000000
FRONT_VIRT_BASE_low := 0
FRONT_VIRT_BASE_legacy := 0xffffffff80000000
# The installed public headers, reached through a link so that nothing else of the host leaks in.
FRONT_XEN_INCLUDE ?= /usr/include/xen
FRONT_CFLAGS = -std=gnu11 -O2 -g -MMD -ffreestanding -nostdinc \
	-isystem $(shell $(CC) -print-file-name=include) -isystem $(FRONT_B)/include \
	-Ifrontends/include -D__XEN_INTERFACE_VERSION__=0x00040e00 -DFRONT_STACK_SIZE=$(FRONT_STACK_SIZE) \
	-m64 -mno-red-zone -mgeneral-regs-only -fpie -fvisibility=hidden -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables -fno-delete-null-pointer-checks \
	-fno-strict-aliasing $(WARNINGS)
FRONT_LD := ld -m elf_x86_64 -static --no-warn-rwx-segments --build-id=none -z noexecstack
DEPS_PACKAGES += libxen-dev binutils

ALL_TARGETS += $(FRONT_B)/libtenue-front.a

$(FRONT_B)/include/xen:
	@test -d $(FRONT_XEN_INCLUDE) || { echo "frontends: $(FRONT_XEN_INCLUDE) is missing: install libxen-dev"; exit 1; }
	@mkdir -p $(@D)
	$(Q)ln -sfn $(FRONT_XEN_INCLUDE) $@

$(FRONT_B)/%.c.o: frontends/%.c | $(FRONT_B)/include/xen
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(FRONT_CFLAGS) -c -o $@ $<

$(FRONT_B)/%.S.o: frontends/%.S | $(FRONT_B)/include/xen
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(FRONT_CFLAGS) -c -o $@ $<

$(FRONT_B)/libtenue-front.a: $(FRONT_OBJ)
	@rm -f $@
	$(Q)ar rcsD $@ $^

$(FRONT_B)/guest-%.lds: frontends/x86/guest.lds.S
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -DFRONT_VIRT_BASE=$(FRONT_VIRT_BASE_$*) -o $@ $<

# TCP/IP, for who wants it: lwIP's sources are fetched, and only the port is ours. Their code compiles with their warnings.
FRONT_LWIP := $(FRONT_B)/lwip
FRONT_LWIP_CORE := altcp altcp_alloc altcp_tcp def dns inet_chksum init ip mem memp netif pbuf raw stats sys tcp tcp_in tcp_out \
	timeouts udp ipv4/autoip ipv4/dhcp ipv4/etharp ipv4/icmp ipv4/igmp ipv4/ip4 ipv4/ip4_addr ipv4/ip4_frag
FRONT_LWIP_OBJ := $(FRONT_LWIP_CORE:%=$(FRONT_LWIP)/core/%.o) $(FRONT_LWIP)/netif/ethernet.o
FRONT_LWIP_CFLAGS = -isystem $(FRONT_LWIP)/src/include -Ifrontends/lwip -isystem frontends/lwip/libc
DEPS_PACKAGES += apt xz-utils ca-certificates

$(FRONT_LWIP)/.fetched: frontends/lwip/fetch
	@mkdir -p $(@D)
	@echo "lwIP (cache: $${TENUE_CACHE:-$${XDG_CACHE_HOME:-~/.cache}/tenue})"
	$(Q)tree=$$(frontends/lwip/fetch) && ln -sfnT "$$tree/src" $(FRONT_LWIP)/src && touch $@

$(FRONT_LWIP_OBJ): $(FRONT_LWIP)/%.o: frontends/lwip/lwipopts.h frontends/lwip/arch/cc.h | $(FRONT_LWIP)/.fetched $(FRONT_B)/include/xen
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out $(WARNINGS),$(FRONT_CFLAGS)) $(FRONT_LWIP_CFLAGS) -w -c -o $@ $(FRONT_LWIP)/src/$*.c

$(FRONT_LWIP)/port.o: frontends/lwip/netif.c | $(FRONT_LWIP)/.fetched $(FRONT_B)/include/xen
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(FRONT_CFLAGS) $(FRONT_LWIP_CFLAGS) -c -o $@ $<

$(FRONT_B)/libtenue-lwip.a: $(FRONT_LWIP_OBJ) $(FRONT_LWIP)/port.o
	@rm -f $@
	$(Q)ar rcsD $@ $^

# What an installed SDK looks like, staged: guests outside the tree build against it with PKG_CONFIG_PATH=build/frontends/sdk/pkgconfig.
FRONT_SDK := $(FRONT_B)/sdk
FRONT_VERSION := $(shell sed -n 's/^\#define FRONT_VERSION "\(.*\)"/\1/p' frontends/include/tenue-front/version.h)
FRONT_HEADERS := $(filter-out %/lwip.h,$(wildcard frontends/include/tenue-front/*.h))
FRONT_STAGED := $(FRONT_SDK)/libtenue-front.a $(foreach f,$(FRONT_FLAVOURS),$(FRONT_SDK)/flavour-$(f).o $(FRONT_SDK)/guest-$(f).lds) \
	$(FRONT_HEADERS:frontends/%=$(FRONT_SDK)/%) $(FRONT_SDK)/pkgconfig/tenue-front.pc
FRONT_STAGE = @mkdir -p $(@D) && cp $< $@
DEPS_PACKAGES += pkgconf
ALL_TARGETS += $(FRONT_STAGED)
$(FRONT_SDK)/libtenue-front.a: $(FRONT_B)/libtenue-front.a
	$(FRONT_STAGE)
$(FRONT_SDK)/flavour-%.o: $(FRONT_B)/x86/flavour-%.S.o
	$(FRONT_STAGE)
$(FRONT_SDK)/guest-%.lds: $(FRONT_B)/guest-%.lds
	$(FRONT_STAGE)
$(FRONT_SDK)/include/%.h: frontends/include/%.h
	$(FRONT_STAGE)
# Of lwIP as it is fetched: headers, and the licence that they ask to be kept with them.
$(FRONT_SDK)/libtenue-lwip.a: $(FRONT_B)/libtenue-lwip.a frontends/include/tenue-front/lwip.h frontends/lwip/lwipopts.h frontends/lwip/arch/cc.h
	$(FRONT_STAGE)
	@mkdir -p $(FRONT_SDK)/lwip/port && rm -rf $(FRONT_SDK)/lwip/include && cp -r $(FRONT_LWIP)/src/include $(FRONT_SDK)/lwip/
	@cp $(FRONT_LWIP)/src/../COPYING $(FRONT_SDK)/lwip/
	@cp -r frontends/lwip/lwipopts.h frontends/lwip/arch frontends/lwip/libc $(FRONT_SDK)/lwip/port/
	@cp frontends/include/tenue-front/lwip.h $(FRONT_SDK)/include/tenue-front/
$(FRONT_SDK)/pkgconfig/%.pc: frontends/%.pc.in frontends/include/tenue-front/version.h
	@mkdir -p $(@D)
	$(Q)sed 's|@SDK@|..|; s|@VERSION@|$(FRONT_VERSION)|' $< >$@
$(FRONT_B)/pkgconfig/%.pc: frontends/%.pc.in frontends/include/tenue-front/version.h
	@mkdir -p $(@D)
	$(Q)sed 's|@SDK@|../tenue/sdk|; s|@VERSION@|$(FRONT_VERSION)|' $< >$@

.PHONY: sdk-lwip install-lwip new-guest
sdk-lwip: $(FRONT_STAGED) $(FRONT_SDK)/libtenue-lwip.a $(FRONT_SDK)/pkgconfig/tenue-lwip.pc
install-lwip: sdk-lwip $(FRONT_B)/pkgconfig/tenue-lwip.pc ## after install: TCP/IP for guests (lwIP), beside the SDK
	@install -d "$(DESTDIR)$(INSTALL_SDK)/include/tenue-front" "$(DESTDIR)$(PREFIX)/lib/pkgconfig"
	@cp -r $(FRONT_SDK)/lwip $(FRONT_SDK)/libtenue-lwip.a "$(DESTDIR)$(INSTALL_SDK)/"
	@cp $(FRONT_SDK)/include/tenue-front/lwip.h "$(DESTDIR)$(INSTALL_SDK)/include/tenue-front/"
	@cp $(FRONT_B)/pkgconfig/tenue-lwip.pc "$(DESTDIR)$(PREFIX)/lib/pkgconfig/"

DIR ?= examples
new-guest: $(FRONT_STAGED) $(BUILD)/hypervisor/tenue ## a guest of your own, which builds and boots: NAME=x, DIR=where (examples)
	@frontends/new-guest "$(NAME)" "$(DIR)"
