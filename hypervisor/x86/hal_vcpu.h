/* SPDX-License-Identifier: MIT */
/*
 * What only the metal knows of a vcpu: one page, the FPU image in it.
 */
#ifndef TENUE_X86_HAL_VCPU_H
#define TENUE_X86_HAL_VCPU_H

#include <tenue/abi.h>

#define FPU_AREA_SIZE 3072u

struct hal_vcpu {
    uint8_t fpu[FPU_AREA_SIZE] __attribute__((aligned(64))); /* XSAVE standard format, or FXSAVE */
};
STATIC_ASSERT(hal_vcpu_fits_a_page, sizeof(struct hal_vcpu) <= PAGE_SIZE);

#endif
