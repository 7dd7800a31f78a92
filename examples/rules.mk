# SPDX-License-Identifier: MIT
# examples/: small guests made with the SDK, each one folder. `make examples` builds them, with lwIP for those in EX_LWIP.
EX_B := $(BUILD)/examples
# frontends/rules.mk and images/rules.mk are read after this.
EX_SDK := $(BUILD)/frontends
EX_IMAGES := $(BUILD)/images
EX_NAMES := hello ping disk web
EX_LWIP := web
DEPS_PACKAGES += tar

define EX_RULES
$(EX_B)/obj/$(1).o: examples/$(1)/main.c | $(EX_SDK)/include/xen $(if $(filter $(1),$(EX_LWIP)),$(EX_SDK)/lwip/.fetched)
	@mkdir -p $$(@D)
	@echo "CC $$<"
	$$(Q)$$(CC) $$(FRONT_CFLAGS) $(if $(filter $(1),$(EX_LWIP)),$$(FRONT_LWIP_CFLAGS)) -c -o $$@ $$<

$(EX_B)/$(1): $(EX_B)/obj/$(1).o $(EX_SDK)/x86/flavour-high.S.o $(if $(filter $(1),$(EX_LWIP)),$(EX_SDK)/libtenue-lwip.a) \
		$(EX_SDK)/libtenue-front.a $(EX_SDK)/guest-high.lds
	@echo "LD $$@"
	$$(Q)$$(FRONT_LD) -T $(EX_SDK)/guest-high.lds -o $$@ $$(filter %.o %.a,$$^)
endef
$(foreach e,$(EX_NAMES),$(eval $(call EX_RULES,$(e))))

# Reproducible: the same bytes whoever packs it, and whenever.
$(EX_B)/site.tar: $(wildcard examples/web/site/*)
	@mkdir -p $(@D)
	$(Q)tar --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=go=rX,u=rwX -cf $@ -C examples/web/site .
$(EX_B)/overlay.cpio: examples/manifest $(EX_NAMES:%=$(EX_B)/%) $(EX_B)/site.tar $(wildcard examples/*/*.cfg) images/mkramdisk
	@images/mkramdisk $@ $<

.PHONY: examples run-examples check-examples check-examples-on-xen check-examples-xl
examples: $(EX_NAMES:%=$(EX_B)/%) $(EX_B)/overlay.cpio ## build the SDK's example guests

EX_MACHINE := $(EX_IMAGES)/control.cpio $(EX_IMAGES)/vmlinux-control $(EX_IMAGES)/data.img
check-examples: $(EX_B)/overlay.cpio $(BUILD)/hypervisor/tenue $(EX_MACHINE)
	@tests/system/examples --hv tenue
CHECK_SYSTEM += check-examples
check-examples-on-xen: $(EX_B)/overlay.cpio $(EX_IMAGES)/xen $(EX_MACHINE)
	@tests/system/examples --hv xen
SOAK += check-examples-on-xen
# The same files where everything else is Xen's and Linux's: frontends against backends that are not ours.
check-examples-xl: $(EX_B)/overlay.cpio $(EX_IMAGES)/xen $(EX_IMAGES)/xen-tools.cpio $(EX_MACHINE)
	@tests/system/examples --hv xen --xl
SOAK += check-examples-xl

# The web server's page is at http://localhost:8080/ once `tenue create /etc/tenue/web.cfg` has run in the control domain.
run-examples: examples machine ## boot it with the examples: tenue create /etc/tenue/web.cfg, then http://localhost:8080/
	@cat $(EX_IMAGES)/control.cpio $(EX_B)/overlay.cpio >$(EX_B)/control.cpio
	@$(MAKE) --no-print-directory run RUN_RAMDISK=$(EX_B)/control.cpio RUN_ARGS="--forward 8080:10.0.2.30:80"
