/* SPDX-License-Identifier: MIT */
/*
 * xen_version: who we say we are (public headers version.h, features.h). We answer
 * as Xen 4.17, whose ABI this is, with an extra-version of our own; changeset and compile_info
 * name Tenue. Fixed-size texts are copied out whole, zero-padded (HC-3).
 */
#include <tenue/hypercall.h>
#include <tenue/vcpu.h>

#include "lib.h"

#define VERSION_MAJOR 4
#define VERSION_MINOR 17

static const xen_extraversion_t extraversion = ".0-tenue";
static const xen_capabilities_info_t capabilities = "xen-3.0-x86_64 ";
static const xen_changeset_info_t changeset = "tenue";
static const struct xen_platform_parameters parameters = {.virt_start = HYPERVISOR_VIRT_START};
static const struct xen_compile_info compile_info = {
    .compiler = "C compiler " __VERSION__,
    .compile_by = "tenue",
    .compile_domain = "localhost",
    .compile_date = "not recorded, on purpose",
};

/* What every 64-bit PV guest may rely on. Linux panics without the second and fourth. */
#define FEATURES_PV                                                                                \
    (1u << XENFEAT_pae_pgdir_above_4gb | 1u << XENFEAT_mmu_pt_update_preserve_ad |                 \
     1u << XENFEAT_highmem_assist | 1u << XENFEAT_gnttab_map_avail_bits |                          \
     1u << XENFEAT_direct_mapped)

static long op_get_features(guest_va arg)
{
    struct xen_feature_info info;

    if (guest_read_obj(&info, arg))
        return -XEN_EFAULT;
    if (info.submap_idx >= XENFEAT_NR_SUBMAPS)
        return -XEN_EINVAL;
    info.submap = FEATURES_PV;
    if (current_domain()->is_control)
        info.submap |= 1u << XENFEAT_dom0;
    return guest_write_obj(arg, &info);
}

/* Long for the stack, and the rest of the page after the text must read as zeros. */
static long op_commandline(guest_va arg)
{
    static const char denied[] = "<denied>";
    const char *text = current_domain()->is_control ? boot_info.cmdline : denied;
    uint64_t len = strnlen(text, sizeof(xen_commandline_t) - 1);
    int rc = guest_write(arg, text, len);

    return rc ? rc : guest_clear(guest_va_add(arg, len), sizeof(xen_commandline_t) - len);
}

long hc_xen_version(uint32_t cmd, uint64_t arg_va)
{
    guest_va arg = guest_va_make(arg_va);

    /* The guest's way to have pending events delivered: ahead of the switch. */
    if (likely(cmd == XENVER_version))
        return VERSION_MAJOR << 16 | VERSION_MINOR;
    switch (cmd) {
    case XENVER_extraversion:
        return guest_write_obj(arg, &extraversion);
    case XENVER_compile_info:
        return guest_write_obj(arg, &compile_info);
    case XENVER_capabilities:
        return guest_write_obj(arg, &capabilities);
    case XENVER_changeset:
        return guest_write_obj(arg, &changeset);
    case XENVER_platform_parameters:
        return guest_write_obj(arg, &parameters);
    case XENVER_get_features:
        return op_get_features(arg);
    case XENVER_pagesize:
        return guest_va_is_null(arg) ? (long)PAGE_SIZE : -XEN_EINVAL;
    case XENVER_guest_handle:
        return guest_write_obj(arg, &current_domain()->handle);
    case XENVER_commandline:
        return op_commandline(arg);
    case XENVER_build_id:
        return -XEN_ENODATA;
    default:
        return -XEN_ENOSYS;
    }
}
