# SPDX-License-Identifier: MIT
# tests/faults: what goes wrong on purpose. The scenarios are in tests/system/scenarios; here is what they run: a rogue
# guest on the SDK, and a Linux guest's ramdisk with roles.
FAULTS_B := $(BUILD)/tests/faults
FAULTS_DISK := $(IMAGES)/control.cpio $(IMAGES)/vmlinux-control $(IMAGES)/data.img

$(FAULTS_B)/rogue-%.o: tests/faults/guests/rogue/%.c | $(FRONT_B)/include/xen
	@mkdir -p $(@D)
	$(Q)$(CC) $(FRONT_CFLAGS) -c -o $@ $<

$(FAULTS_B)/rogue: $(FAULTS_B)/rogue-main.o $(FAULTS_B)/rogue-random.o $(FAULTS_B)/rogue-calls.o $(FRONT_B)/x86/flavour-high.S.o $(FRONT_B)/libtenue-front.a $(FRONT_B)/guest-high.lds
	@echo "LD $@"
	$(Q)ld -m elf_x86_64 -static --no-warn-rwx-segments --build-id=none -z noexecstack -T $(FRONT_B)/guest-high.lds \
		-o $@ $(filter %.o %.a,$^)

$(FAULTS_B)/diskload $(FAULTS_B)/netload: $(FAULTS_B)/%: tests/faults/tools/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(CFLAGS_USER) -static -o $@ $<

$(FAULTS_B)/guest.cpio: tests/faults/guest.manifest $(FAULTS_B)/diskload $(FAULTS_B)/netload $(wildcard tests/faults/guest/*) $(IMAGES_SOURCES) $(IMAGES_FETCH)
	@mkdir -p $(@D)
	@images/mkramdisk $@ $< KERNEL=$(IMAGES)/kernel FAULTS=$(FAULTS_B)

$(FAULTS_B)/soak-tool $(FAULTS_B)/storemove: $(FAULTS_B)/%: tests/faults/tools/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(CFLAGS_USER) -o $@ $< -lxencall -lxenstore

# Laid over the control domain's ramdisk: brings both guests to where the scenarios expect them.
$(FAULTS_B)/control.cpio: tests/faults/control.manifest $(FAULTS_B)/guest.cpio $(FAULTS_B)/rogue $(FAULTS_B)/soak-tool $(FAULTS_B)/storemove $(FAULTS_B)/netload tests/faults/give
	@images/mkramdisk $@ $< FAULTS=$(FAULTS_B)

# The guest with fio is for one scenario only.
$(FAULTS_B)/fio.cpio: tests/faults/fio.manifest tests/faults/guest.manifest $(FAULTS_B)/diskload $(wildcard tests/faults/guest/*) $(IMAGES_SOURCES) $(IMAGES_FETCH)
	@images/mkramdisk $@ $< KERNEL=$(IMAGES)/kernel FAULTS=$(FAULTS_B)
$(FAULTS_B)/fio-control.cpio: tests/faults/fio-control.manifest $(FAULTS_B)/fio.cpio
	@images/mkramdisk $@ $< FAULTS=$(FAULTS_B)

FAULTS_NEEDS := $(BUILD)/hypervisor/tenue $(FAULTS_B)/control.cpio $(FAULTS_DISK)

FAULTS_SCENARIOS := check-faults check-killed-helpers check-killed-disk check-killed-net check-killed-store check-full-disk check-powercut check-images
CHECK_SYSTEM += $(FAULTS_SCENARIOS)
CHECK_ALONE += check-soak
SOAK += soak-faults soak-images soak-fio soak-killed-disk soak-killed-net soak-killed-store soak-faults-on-xen soak-guests
DEPS_PACKAGES += e2fsprogs fio

.PHONY: $(FAULTS_SCENARIOS) soak-images soak-fio soak-faults soak-killed-disk soak-killed-net soak-killed-store soak-faults-on-xen check-soak soak-guests
$(FAULTS_SCENARIOS) soak-images soak-fio soak-faults soak-killed-disk soak-killed-net soak-killed-store soak-faults-on-xen check-soak soak-guests: $(FAULTS_NEEDS)
check-faults: ## guests that crash, spin, lie and flood, beside one that works
	@tests/system/scenarios/faults
check-killed-helpers: ## kill -9 of backends, supervisor and store
	@tests/system/scenarios/killed-helpers
check-killed-disk: ## kill -9 of a disk's backend under load (KILLS=15, SEED=)
	@tests/system/scenarios/killed-disk --kills $(or $(KILLS),15) $(if $(SEED),--seed $(SEED))
check-killed-net: ## kill -9 of a network backend under TCP (KILLS=5, SEED=)
	@tests/system/scenarios/killed-net --kills $(or $(KILLS),5) $(if $(SEED),--seed $(SEED))
check-killed-store: ## kill -9 of the store during creates (KILLS=10, SEED=)
	@tests/system/scenarios/killed-store --kills $(or $(KILLS),10) $(if $(SEED),--seed $(SEED))
check-full-disk: ## the host's disk fills under a guest's image
	@tests/system/scenarios/full-disk
check-powercut: $(IMAGES)/disks.cpio ## what guests synced survives power cuts: raw, qcow2, NBD (SEED=, POINTS=)
	@tests/system/scenarios/powercut --boot 1 --points $(or $(POINTS),10) $(if $(SEED),--seed $(SEED))
check-images: $(IMAGES)/disks.cpio ## qcow2 overlays and NBD servers, their helpers killed
	@tests/system/scenarios/images

# Longer, and with Debian's Xen in our hypervisor's place. Each has its own verdict; all are run.
soak-faults: $(IMAGES)/disks.cpio ## the fault scenarios for longer (SEED=)
	@tests/system/scenarios/faults --all; a=$$?; \
	tests/system/scenarios/killed-helpers --all || a=1; \
	tests/system/scenarios/powercut --points 200 --boot 3 --seconds 60 $(if $(SEED),--seed $(SEED)) || a=1; exit $$a
soak-images: $(IMAGES)/disks.cpio ## check-images, a server that stays away, a full disk, a shared base, a disk that grows
	@tests/system/scenarios/images --all
soak-fio: $(IMAGES)/disks.cpio $(FAULTS_B)/fio-control.cpio ## 50 kills of a disk's backend under fio's verify workloads on each of raw, qcow2, NBD, 4096-byte sectors (KILLS=, SEED=)
	@tests/system/scenarios/fio $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))
soak-killed-disk: ## 200 kills of a disk's backend under load (SEED=)
	@tests/system/scenarios/killed-disk --kills 200 $(if $(SEED),--seed $(SEED))
soak-killed-net: ## 50 kills of a network backend under TCP (SEED=)
	@tests/system/scenarios/killed-net --kills 50 $(if $(SEED),--seed $(SEED))
soak-killed-store: ## 50 kills of the store during creates (KILLS=, SEED=)
	@tests/system/scenarios/killed-store --linux --kills $(or $(KILLS),50) $(if $(SEED),--seed $(SEED))
soak-faults-on-xen: $(IMAGES)/xen
	@a=0; for s in faults killed-helpers full-disk; do tests/system/scenarios/$$s --hv xen || a=1; done; exit $$a
check-soak: ## a short soak with two guests
	@tests/system/scenarios/soak --guests 2 --minutes 0.7 $(if $(SEED),--seed $(SEED))
soak-guests: ## four guests doing everything at once (MINUTES=30, SEED=)
	@tests/system/scenarios/soak --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED))
