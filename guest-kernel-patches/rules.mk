# SPDX-License-Identifier: MIT
# guest-kernel-patches/: a small PV kernel out of Debian's linux-source-6.1. Nobody else's targets need it.
GK := guest-kernel-patches
GK_OUT := $(BUILD)/guest-kernel
GK_PACKAGES := gcc make bc bison flex libelf-dev libssl-dev lz4 kmod perl python3 xz-utils tar apt

# Always asked: the cache knows by the hash of version, config and series whether there is anything to do.
.PHONY: guest-kernel
guest-kernel: ## a small PV kernel for control domain and guests, patched (guest-kernel-patches/README.md)
	@.ci/deps $(GK_PACKAGES)
	@$(GK)/build $(GK_OUT)
