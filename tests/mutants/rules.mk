# SPDX-License-Identifier: MIT
# tests/mutants: do the hosted tests notice classic mistakes?
.PHONY: mutants
# MUTANTS="name ..." tries only those.
mutants: deps ## plant classic mistakes one at a time; the last line says how many the hosted tests caught
	@tests/mutants/run $(MUTANTS)
