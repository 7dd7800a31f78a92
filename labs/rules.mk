# SPDX-License-Identifier: MIT
# labs/: ten guided labs and their grader. `make labs` tries the graders; `make lab-01 SOLUTION=file.c LAB_LANG=es` is a student's.
LAB_LANG ?= en
SOLUTION ?=
DEPS_PACKAGES += pkgconf python3 qemu-system-x86

.PHONY: labs check-labs
labs: $(BUILD)/hypervisor/tenue $(FRONT_STAGED) ## ten labs: solutions pass, skeletons and mistakes fail; `make lab-01 SOLUTION=x.c` grades one
	@labs/grade --all $(if $(SEED),--seed $(SEED))
SOAK += labs
lab-%: $(BUILD)/hypervisor/tenue $(FRONT_STAGED)
	@labs/grade --lang $(LAB_LANG) $* $(SOLUTION)
# Each solution, and one mistake of each.
check-labs: $(BUILD)/hypervisor/tenue $(FRONT_STAGED)
	@labs/grade --all --short --jobs 1 --suite check-labs
CHECK_GUESTS += check-labs
