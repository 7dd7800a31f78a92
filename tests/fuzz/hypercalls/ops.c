/* SPDX-License-Identifier: MIT */
/*
 * Every operation of every hypercall of hypercalls.def, described (call.h).
 */
#include "call.h"

#define F(type, member, kind, p)                                                                   \
    {                                                                                              \
        offsetof(struct type, member), sizeof(((struct type *)0)->member), kind, p                 \
    }
#define BODY(type, n) .size = sizeof(struct type), .count = n
#define REGS(...) .reg = {__VA_ARGS__}
#define C(x)                                                                                       \
    {                                                                                              \
        K_CONST, x                                                                                 \
    }
#define V(kind, p)                                                                                 \
    {                                                                                              \
        kind, p                                                                                    \
    }
#define ARG V(K_ARG, 0)

#define MMU_BATCH REGS(ARG, V(K_COUNT, 0), V(K_DONE, 0), V(K_FOREIGN, 0))

#define EXT(title, w, command, field1, kind1, p1, field2, kind2, p2)                               \
    {                                                                                              \
        .name = "mmuext_op " title, .nr = __HYPERVISOR_mmuext_op, .weight = w, MMU_BATCH,          \
        BODY(mmuext_op, 3), .fields = {                                                            \
            F(mmuext_op, cmd, K_CONST, command),                                                   \
            F(mmuext_op, field1, kind1, p1),                                                       \
            F(mmuext_op, field2, kind2, p2),                                                       \
        }                                                                                          \
    }

#define EVT(title, w, command, type, ...)                                                          \
    {                                                                                              \
        .name = "event_channel_op " title, .nr = __HYPERVISOR_event_channel_op, .weight = w,       \
        REGS(C(command), ARG), BODY(type, 1), .fields = {                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

#define GNT(title, w, command, type, n, ...)                                                       \
    {                                                                                              \
        .name = "grant_table_op " title, .nr = __HYPERVISOR_grant_table_op, .weight = w,           \
        REGS(C(command), ARG, V(K_COUNT, 0)), BODY(type, n), .success = WHEN_STATUS,               \
        .status_at = offsetof(struct type, status), .fields = {                                    \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

#define MEM(title, w, command, type, ok, ...)                                                      \
    {                                                                                              \
        .name = "memory_op " title, .nr = __HYPERVISOR_memory_op, .weight = w,                     \
        REGS(C(command), ARG), BODY(type, 1), .success = ok, .fields = {                           \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define RESERVATION(first_mfns, out)                                                               \
    F(xen_memory_reservation, nr_extents, K_CONST, 3),                                             \
        F(xen_memory_reservation, extent_start, K_MFNS, 3),                                        \
        F(xen_memory_reservation, domid, K_SELF, 0),                                               \
    {                                                                                              \
        0, 0, out, 3                                                                               \
    }

#define VCPU(title, w, command, ...)                                                               \
    {                                                                                              \
        .name = "vcpu_op " title, .nr = __HYPERVISOR_vcpu_op, .weight = w,                         \
        REGS(C(command), V(K_VCPU, 0), ARG), __VA_ARGS__                                           \
    }
#define SCHED(title, w, command, ...)                                                              \
    {                                                                                              \
        .name = "sched_op " title, .nr = __HYPERVISOR_sched_op, .weight = w,                       \
        REGS(C(command), ARG), __VA_ARGS__                                                         \
    }
#define PHYS(title, w, command, type, ...)                                                         \
    {                                                                                              \
        .name = "physdev_op " title, .nr = __HYPERVISOR_physdev_op, .weight = w,                   \
        REGS(C(command), ARG), BODY(type, 1), .fields = {                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define DOMCTL(title, w, command, ...)                                                             \
    {                                                                                              \
        .name = "domctl " title, .nr = __HYPERVISOR_domctl, .weight = w, .who = CONTROL,           \
        REGS(ARG), BODY(xen_domctl, 1), .fields = {                                                \
            F(xen_domctl, cmd, K_CONST, command),                                                  \
            F(xen_domctl, interface_version, K_CONST, XEN_DOMCTL_INTERFACE_VERSION),               \
            F(xen_domctl, domain, K_GUEST, 0),                                                     \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define SYSCTL(title, w, command, ...)                                                             \
    {                                                                                              \
        .name = "sysctl " title, .nr = __HYPERVISOR_sysctl, .weight = w, .who = CONTROL,           \
        REGS(ARG), BODY(xen_sysctl, 1), .fields = {                                                \
            F(xen_sysctl, cmd, K_CONST, command),                                                  \
            F(xen_sysctl, interface_version, K_CONST, XEN_SYSCTL_INTERFACE_VERSION),               \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define PLATFORM(title, w, command, ...)                                                           \
    {                                                                                              \
        .name = "platform_op " title, .nr = __HYPERVISOR_platform_op, .weight = w, .who = CONTROL, \
        REGS(ARG), BODY(xen_platform_op, 1), .fields = {                                           \
            F(xen_platform_op, cmd, K_CONST, command),                                             \
            F(xen_platform_op, interface_version, K_CONST, XENPF_INTERFACE_VERSION),               \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define VERSION(sub, room)                                                                         \
    {                                                                                              \
        .name = "xen_version " #sub, .nr = __HYPERVISOR_xen_version, .weight = 1,                  \
        REGS(C(XENVER_##sub), V(K_BUF, room))                                                      \
    }
#define PLAIN(title, w, ...)                                                                       \
    {                                                                                              \
        .name = #title, .nr = __HYPERVISOR_##title, .weight = w, REGS(__VA_ARGS__)                 \
    }

/* Handles inside structures are one pointer. */
#define CTL(member, kind, p) F(xen_domctl, u.member, kind, p)
#define SYS(member, kind, p) F(xen_sysctl, u.member, kind, p)
#define PLAT(member, kind, p) F(xen_platform_op, u.member, kind, p)

const struct op ops[] = {
    /* --- page tables --- */
    {.name = "mmu_update entries",
     .nr = __HYPERVISOR_mmu_update,
     .weight = 60,
     MMU_BATCH,
     BODY(mmu_update, 4),
     .fields = {F(mmu_update, ptr, K_PTE_AT, 0), F(mmu_update, val, K_PTE, 0)}},
    {.name = "mmu_update machphys",
     .nr = __HYPERVISOR_mmu_update,
     .weight = 3,
     MMU_BATCH,
     BODY(mmu_update, 2),
     .fields = {F(mmu_update, ptr, K_M2P_AT, 0), F(mmu_update, val, K_ANY, 0)}},
    {.name = "update_va_mapping",
     .nr = __HYPERVISOR_update_va_mapping,
     .weight = 30,
     REGS(V(K_VA, 0), V(K_PTE, 0), V(K_UVMF, 0))},
    {.name = "update_va_mapping_otherdomain",
     .nr = __HYPERVISOR_update_va_mapping_otherdomain,
     .weight = 5,
     .who = CONTROL,
     REGS(V(K_VA, 0), V(K_PTE, 0), V(K_UVMF, 0), V(K_GUEST, 0))},
    EXT("pin L1", 12, MMUEXT_PIN_L1_TABLE, arg1.mfn, K_TABLE, 0, arg2.nr_ents, K_BELOW, 2),
    EXT("pin L2", 8, MMUEXT_PIN_L2_TABLE, arg1.mfn, K_TABLE, 0, arg2.nr_ents, K_BELOW, 2),
    EXT("pin L3", 6, MMUEXT_PIN_L3_TABLE, arg1.mfn, K_TABLE, 0, arg2.nr_ents, K_BELOW, 2),
    EXT("pin L4", 8, MMUEXT_PIN_L4_TABLE, arg1.mfn, K_TABLE, 0, arg2.nr_ents, K_BELOW, 2),
    EXT("unpin", 14, MMUEXT_UNPIN_TABLE, arg1.mfn, K_TABLE, 0, arg2.nr_ents, K_BELOW, 2),
    EXT("new_baseptr", 6, MMUEXT_NEW_BASEPTR, arg1.mfn, K_ROOT, 0, arg2.nr_ents, K_BELOW, 2),
    EXT("new_user_baseptr", 6, MMUEXT_NEW_USER_BASEPTR, arg1.mfn, K_ROOT_OR_NONE, 0, arg2.nr_ents,
        K_BELOW, 2),
    EXT("tlb_flush_local", 1, MMUEXT_TLB_FLUSH_LOCAL, arg1.mfn, K_BELOW, 2, arg2.nr_ents, K_BELOW,
        2),
    EXT("invlpg_local", 2, MMUEXT_INVLPG_LOCAL, arg1.linear_addr, K_VA, 0, arg2.nr_ents, K_BELOW,
        2),
    EXT("tlb_flush_multi", 1, MMUEXT_TLB_FLUSH_MULTI, arg1.mfn, K_BELOW, 2, arg2.vcpumask, K_BUF,
        8),
    EXT("invlpg_multi", 1, MMUEXT_INVLPG_MULTI, arg1.linear_addr, K_VA, 0, arg2.vcpumask, K_BUF, 8),
    EXT("tlb_flush_all", 1, MMUEXT_TLB_FLUSH_ALL, arg1.mfn, K_BELOW, 2, arg2.nr_ents, K_BELOW, 2),
    EXT("invlpg_all", 2, MMUEXT_INVLPG_ALL, arg1.linear_addr, K_VA, 0, arg2.nr_ents, K_BELOW, 2),
    EXT("set_ldt", 6, MMUEXT_SET_LDT, arg1.linear_addr, K_PAGE_VA, 0, arg2.nr_ents, K_BELOW, 1100),
    EXT("clear_page", 5, MMUEXT_CLEAR_PAGE, arg1.mfn, K_OWN, 0, arg2.nr_ents, K_BELOW, 2),
    EXT("copy_page", 5, MMUEXT_COPY_PAGE, arg1.mfn, K_OWN, 0, arg2.src_mfn, K_MFN, 0),
    {.name = "mmuext_op flush_cache",
     .nr = __HYPERVISOR_mmuext_op,
     .weight = 1,
     .who = CONTROL,
     MMU_BATCH,
     BODY(mmuext_op, 1),
     .fields = {F(mmuext_op, cmd, K_CONST, MMUEXT_FLUSH_CACHE)}},
    PLAIN(set_gdt, 8, V(K_MFNS, 2), V(K_BELOW, 1100)),
    PLAIN(update_descriptor, 8, V(K_DESC_AT, 0), V(K_DESC, 0)),

    /* --- a vcpu's state --- */
    {.name = "set_trap_table",
     .nr = __HYPERVISOR_set_trap_table,
     .weight = 3,
     REGS(ARG),
     BODY(trap_info, 4), /* zeroes follow */
     .fields = {F(trap_info, vector, K_ANY, 0), F(trap_info, flags, K_BELOW, 8),
                F(trap_info, cs, K_ANY, 0), F(trap_info, address, K_CODE, 0)}},
    PLAIN(stack_switch, 2, V(K_ANY, 0), V(K_CODE, 0)),
    PLAIN(set_callbacks, 2, V(K_CODE, 0), V(K_CODE, 0), V(K_CODE, 0)),
    PLAIN(fpu_taskswitch, 1, V(K_BELOW, 2)),
    PLAIN(set_debugreg, 2, V(K_BELOW, 9), V(K_CODE, 0)),
    PLAIN(get_debugreg, 1, V(K_BELOW, 9)),
    PLAIN(set_segment_base, 2, V(K_BELOW, 5), V(K_CODE, 0)),
    PLAIN(vm_assist, 2, V(K_BELOW, 2), V(K_BELOW, 6)),
    PLAIN(set_timer_op, 2, V(K_TIME, 0)),
    {.name = "callback_op register",
     .nr = __HYPERVISOR_callback_op,
     .weight = 2,
     REGS(C(CALLBACKOP_register), ARG),
     BODY(callback_register, 1),
     .fields = {F(callback_register, type, K_BELOW, 8), F(callback_register, flags, K_BITS, 3),
                F(callback_register, address, K_CODE, 0)}},
    {.name = "callback_op unregister",
     .nr = __HYPERVISOR_callback_op,
     .weight = 1,
     REGS(C(CALLBACKOP_unregister), ARG),
     BODY(callback_unregister, 1),
     .fields = {F(callback_unregister, type, K_BELOW, 8)}},
    {.name = "nmi_op",
     .nr = __HYPERVISOR_nmi_op,
     .weight = 1,
     REGS(V(K_BELOW, 2), ARG),
     BODY(xennmi_callback, 1),
     .fields = {F(xennmi_callback, handler_address, K_CODE, 0)}},
    {.name = "iret", .nr = __HYPERVISOR_iret, .weight = 1, .who = GUESTS},

    /* --- questions and the console --- */
    VERSION(version, 8),
    VERSION(extraversion, 16),
    VERSION(compile_info, 144),
    VERSION(capabilities, 1024),
    VERSION(changeset, 64),
    VERSION(platform_parameters, 8),
    VERSION(get_features, 8),
    {.name = "xen_version pagesize",
     .nr = __HYPERVISOR_xen_version,
     .weight = 1,
     REGS(C(XENVER_pagesize))},
    VERSION(guest_handle, 16),
    VERSION(commandline, 1024),
    {.name = "xen_version build_id (refused)",
     .nr = __HYPERVISOR_xen_version,
     .weight = 1,
     .success = WHEN_REFUSED,
     REGS(C(XENVER_build_id), V(K_BUF, 64))},
    PLAIN(console_io, 2, C(CONSOLEIO_write), V(K_BELOW, 600), V(K_BUF, 600)),
    {.name = "console_io read",
     .nr = __HYPERVISOR_console_io,
     .weight = 1,
     .who = CONTROL,
     REGS(C(CONSOLEIO_read), V(K_BELOW, 64), V(K_BUF, 64))},

    /* --- running --- */
    SCHED("yield", 1, SCHEDOP_yield),
    SCHED("block", 1, SCHEDOP_block),
    SCHED("poll", 3, SCHEDOP_poll, BODY(sched_poll, 1),
          .fields = {F(sched_poll, nr_ports, K_BELOW, 4), F(sched_poll, ports, K_PORTS, 4),
                     F(sched_poll, timeout, K_TIME, 0)}),
    SCHED("shutdown", 1, SCHEDOP_shutdown, .who = GUESTS, BODY(sched_shutdown, 1),
          .fields = {F(sched_shutdown, reason, K_BELOW, 7)}),
    SCHED("shutdown_code", 1, SCHEDOP_shutdown_code, BODY(sched_shutdown, 1),
          .fields = {F(sched_shutdown, reason, K_BELOW, 7)}),
    SCHED("remote_shutdown", 1, SCHEDOP_remote_shutdown, .who = CONTROL,
          BODY(sched_remote_shutdown, 1),
          .fields = {F(sched_remote_shutdown, domain_id, K_GUEST, 0),
                     F(sched_remote_shutdown, reason, K_BELOW, 7)}),
    PLAIN(sched_op_compat, 1, C(SCHEDOP_yield)),
    PLAIN(sched_op_compat, 1, C(SCHEDOP_block)),
    VCPU("initialise", 8, VCPUOP_initialise, .size = 0, .fields = {{0, 0, K_CONTEXT, 0}}),
    VCPU("up", 3, VCPUOP_up),
    VCPU("down", 1, VCPUOP_down, .who = GUESTS),
    VCPU("is_up", 1, VCPUOP_is_up),
    VCPU("get_runstate_info", 1, VCPUOP_get_runstate_info, BODY(vcpu_runstate_info, 1)),
    VCPU("register_runstate", 2, VCPUOP_register_runstate_memory_area,
         BODY(vcpu_register_runstate_memory_area, 1),
         .fields = {F(vcpu_register_runstate_memory_area, addr.p, K_VA, 0)}),
    VCPU("register_vcpu_info", 6, VCPUOP_register_vcpu_info, BODY(vcpu_register_vcpu_info, 1),
         .fields = {F(vcpu_register_vcpu_info, mfn, K_OWN, 0),
                    F(vcpu_register_vcpu_info, offset, K_BELOW, 4096)}),
    VCPU("set_periodic_timer", 2, VCPUOP_set_periodic_timer, BODY(vcpu_set_periodic_timer, 1),
         .fields = {F(vcpu_set_periodic_timer, period_ns, K_BELOW, 50000000)}),
    VCPU("stop_periodic_timer", 1, VCPUOP_stop_periodic_timer),
    VCPU("set_singleshot_timer", 2, VCPUOP_set_singleshot_timer, BODY(vcpu_set_singleshot_timer, 1),
         .fields = {F(vcpu_set_singleshot_timer, timeout_abs_ns, K_TIME, 0),
                    F(vcpu_set_singleshot_timer, flags, K_BELOW, 2)}),
    VCPU("stop_singleshot_timer", 1, VCPUOP_stop_singleshot_timer),
    VCPU("send_nmi", 1, VCPUOP_send_nmi),
    VCPU("get_physid", 1, VCPUOP_get_physid, .who = CONTROL, BODY(vcpu_get_physid, 1)),

    /* --- event channels --- */
    EVT("alloc_unbound", 12, EVTCHNOP_alloc_unbound, evtchn_alloc_unbound,
        F(evtchn_alloc_unbound, dom, K_SELF, 0), F(evtchn_alloc_unbound, remote_dom, K_OTHER, 0),
        F(evtchn_alloc_unbound, port, OUT_OFFER, 0)),
    EVT("bind_interdomain", 12, EVTCHNOP_bind_interdomain, evtchn_bind_interdomain,
        F(evtchn_bind_interdomain, remote_dom, K_OFFERER, 0),
        F(evtchn_bind_interdomain, remote_port, K_OFFERED, 0),
        F(evtchn_bind_interdomain, local_port, OUT_PORT, 0)),
    EVT("bind_virq", 6, EVTCHNOP_bind_virq, evtchn_bind_virq, F(evtchn_bind_virq, virq, K_BELOW, 8),
        F(evtchn_bind_virq, vcpu, K_VCPU, 0), F(evtchn_bind_virq, port, OUT_PORT, 0)),
    EVT("bind_ipi", 4, EVTCHNOP_bind_ipi, evtchn_bind_ipi, F(evtchn_bind_ipi, vcpu, K_VCPU, 0),
        F(evtchn_bind_ipi, port, OUT_PORT, 0)),
    {.name = "event_channel_op bind_pirq",
     .nr = __HYPERVISOR_event_channel_op,
     .weight = 4,
     .who = CONTROL,
     REGS(C(EVTCHNOP_bind_pirq), ARG),
     BODY(evtchn_bind_pirq, 1),
     .fields = {F(evtchn_bind_pirq, pirq, K_BELOW, 26), F(evtchn_bind_pirq, port, OUT_PORT, 0)}},
    EVT("close", 8, EVTCHNOP_close, evtchn_close, F(evtchn_close, port, K_PORT, 0)),
    EVT("send", 8, EVTCHNOP_send, evtchn_send, F(evtchn_send, port, K_PORT, 0)),
    EVT("status", 3, EVTCHNOP_status, evtchn_status, F(evtchn_status, dom, K_SELF, 0),
        F(evtchn_status, port, K_PORT, 0)),
    EVT("bind_vcpu", 3, EVTCHNOP_bind_vcpu, evtchn_bind_vcpu, F(evtchn_bind_vcpu, port, K_PORT, 0),
        F(evtchn_bind_vcpu, vcpu, K_VCPU, 0)),
    EVT("unmask", 3, EVTCHNOP_unmask, evtchn_unmask, F(evtchn_unmask, port, K_PORT, 0)),
    EVT("reset", 1, EVTCHNOP_reset, evtchn_reset, F(evtchn_reset, dom, K_SELF, 0)),
    {.name = "event_channel_op_compat",
     .nr = __HYPERVISOR_event_channel_op_compat,
     .weight = 1,
     REGS(ARG),
     BODY(evtchn_op, 1),
     .fields = {F(evtchn_op, cmd, K_CONST, EVTCHNOP_send), F(evtchn_op, u.send.port, K_PORT, 0)}},

    /* --- interrupts and the platform --- */
    PHYS("set_iopl", 1, PHYSDEVOP_set_iopl, physdev_set_iopl,
         F(physdev_set_iopl, iopl, K_BELOW, 5)),
    PHYS("set_iobitmap", 1, PHYSDEVOP_set_iobitmap, physdev_set_iobitmap,
         F(physdev_set_iobitmap, bitmap, K_BUF, 64), F(physdev_set_iobitmap, nr_ports, K_ANY, 0)),
    PHYS("eoi", 2, PHYSDEVOP_eoi, physdev_eoi, F(physdev_eoi, irq, K_BELOW, 26)),
    PHYS("irq_status_query", 1, PHYSDEVOP_irq_status_query, physdev_irq_status_query,
         F(physdev_irq_status_query, irq, K_BELOW, 26)),
    PHYS("setup_gsi", 3, PHYSDEVOP_setup_gsi, physdev_setup_gsi,
         F(physdev_setup_gsi, gsi, K_BELOW, 26), F(physdev_setup_gsi, triggering, K_BELOW, 2),
         F(physdev_setup_gsi, polarity, K_BELOW, 2)),
    PHYS("map_pirq", 2, PHYSDEVOP_map_pirq, physdev_map_pirq, F(physdev_map_pirq, domid, K_SELF, 0),
         F(physdev_map_pirq, type, K_CONST, MAP_PIRQ_TYPE_GSI),
         F(physdev_map_pirq, index, K_BELOW, 26), F(physdev_map_pirq, pirq, K_CONST, ~0u)),
    PHYS("unmap_pirq", 1, PHYSDEVOP_unmap_pirq, physdev_unmap_pirq,
         F(physdev_unmap_pirq, domid, K_SELF, 0), F(physdev_unmap_pirq, pirq, K_BELOW, 26)),
    PHYS("apic_read", 1, PHYSDEVOP_apic_read, physdev_apic, F(physdev_apic, reg, K_BELOW, 4)),
    PHYS("alloc_irq_vector", 1, PHYSDEVOP_alloc_irq_vector, physdev_irq,
         F(physdev_irq, irq, K_BELOW, 26)),
    {.name = "physdev_op_compat",
     .nr = __HYPERVISOR_physdev_op_compat,
     .weight = 1,
     REGS(ARG),
     BODY(physdev_op, 1),
     .fields = {F(physdev_op, cmd, K_CONST, PHYSDEVOP_set_iopl),
                F(physdev_op, u.set_iopl.iopl, K_BELOW, 5)}},
    PLATFORM("settime64", 2, XENPF_settime64, PLAT(settime64.secs, K_BELOW, 0x7fffffff),
             PLAT(settime64.nsecs, K_BELOW, 1100000000), PLAT(settime64.system_time, K_TIME, 0)),
    PLATFORM("get_cpuinfo", 1, XENPF_get_cpuinfo, PLAT(pcpu_info.xen_cpuid, K_BELOW, 6)),
    PLATFORM("firmware_info", 3, XENPF_firmware_info, PLAT(firmware_info.type, K_BELOW, 6),
             PLAT(firmware_info.index, K_BELOW, 4)),

    /* --- grants --- */
    GNT("map_grant_ref", 40, GNTTABOP_map_grant_ref, gnttab_map_grant_ref, 2,
        F(gnttab_map_grant_ref, flags, K_MAP_FLAGS, 0),
        F(gnttab_map_grant_ref, host_addr, K_MAP_ADDR, 0), F(gnttab_map_grant_ref, dom, K_OTHER, 0),
        F(gnttab_map_grant_ref, ref, K_GREF, 0), F(gnttab_map_grant_ref, handle, OUT_HANDLE, 0)),
    GNT("unmap_grant_ref", 30, GNTTABOP_unmap_grant_ref, gnttab_unmap_grant_ref, 2,
        F(gnttab_unmap_grant_ref, handle, K_HANDLE, 0),
        F(gnttab_unmap_grant_ref, host_addr, K_HANDLE_ADDR, 0),
        F(gnttab_unmap_grant_ref, dev_bus_addr, K_HANDLE_BUS, 0), {0, 0, OUT_UNMAPPED, 0}),
    GNT("unmap_and_replace", 6, GNTTABOP_unmap_and_replace, gnttab_unmap_and_replace, 1,
        F(gnttab_unmap_and_replace, handle, K_HANDLE, 0),
        F(gnttab_unmap_and_replace, host_addr, K_HANDLE_ADDR, 0),
        F(gnttab_unmap_and_replace, new_addr, K_PAGE_VA, 0), {0, 0, OUT_UNMAPPED, 0}),
    GNT("copy", 20, GNTTABOP_copy, gnttab_copy, 2, F(gnttab_copy, flags, K_COPY_FLAGS, 0),
        F(gnttab_copy, source.domid, K_OTHER, 1), F(gnttab_copy, source.u.ref, K_GREF, 1),
        F(gnttab_copy, source.offset, K_BELOW, 2100), F(gnttab_copy, dest.domid, K_OTHER, 2),
        F(gnttab_copy, dest.u.ref, K_GREF, 2), F(gnttab_copy, dest.offset, K_BELOW, 2000),
        F(gnttab_copy, len, K_BELOW, 2100)),
    GNT("setup_table", 3, GNTTABOP_setup_table, gnttab_setup_table, 1,
        F(gnttab_setup_table, dom, K_SELF, 0), F(gnttab_setup_table, nr_frames, K_BELOW, 6),
        F(gnttab_setup_table, frame_list, K_BUF, 64)),
    GNT("query_size", 1, GNTTABOP_query_size, gnttab_query_size, 1,
        F(gnttab_query_size, dom, K_SELF, 0)),
    {.name = "grant_table_op set_version",
     .nr = __HYPERVISOR_grant_table_op,
     .weight = 1,
     REGS(C(GNTTABOP_set_version), ARG, V(K_COUNT, 0)),
     BODY(gnttab_set_version, 1),
     .fields = {F(gnttab_set_version, version, K_BELOW, 4)}},
    {.name = "grant_table_op get_version",
     .nr = __HYPERVISOR_grant_table_op,
     .weight = 1,
     REGS(C(GNTTABOP_get_version), ARG, V(K_COUNT, 0)),
     BODY(gnttab_get_version, 1),
     .fields = {F(gnttab_get_version, dom, K_SELF, 0)}},
    {.name = "grant_table_op cache_flush",
     .nr = __HYPERVISOR_grant_table_op,
     .weight = 1,
     REGS(C(GNTTABOP_cache_flush), ARG, V(K_COUNT, 0)),
     BODY(gnttab_cache_flush, 2),
     .fields = {F(gnttab_cache_flush, a.dev_bus_addr, K_DESC_AT, 0),
                F(gnttab_cache_flush, offset, K_BELOW, 4100),
                F(gnttab_cache_flush, length, K_BELOW, 4100),
                F(gnttab_cache_flush, op, K_BELOW, 4)}},

    /* --- memory --- */
    MEM("populate_physmap", 8, XENMEM_populate_physmap, xen_memory_reservation, WHEN_POSITIVE,
        RESERVATION(K_MFNS, OUT_MFNS), F(xen_memory_reservation, extent_order, K_BELOW, 2)),
    MEM("increase_reservation", 3, XENMEM_increase_reservation, xen_memory_reservation,
        WHEN_POSITIVE, RESERVATION(K_MFNS, OUT_MFNS)),
    MEM("decrease_reservation", 12, XENMEM_decrease_reservation, xen_memory_reservation,
        WHEN_POSITIVE, RESERVATION(K_MFNS, K_CONST)),
    MEM("exchange", 10, XENMEM_exchange, xen_memory_exchange, WHEN_ZERO_OR_MORE,
        F(xen_memory_exchange, in.nr_extents, K_CONST, 2),
        F(xen_memory_exchange, in.extent_start, K_MFNS, 2),
        F(xen_memory_exchange, in.domid, K_SELF, 0),
        F(xen_memory_exchange, out.nr_extents, K_CONST, 2),
        F(xen_memory_exchange, out.extent_start, K_MFNS, 2),
        F(xen_memory_exchange, out.domid, K_SELF, 0),
        F(xen_memory_exchange, out.mem_flags, K_BITS, 0x28), {0, 0, OUT_MFNS, 2}),
    MEM("exchange for a pair", 3, XENMEM_exchange, xen_memory_exchange, WHEN_ZERO_OR_MORE,
        F(xen_memory_exchange, in.nr_extents, K_CONST, 2),
        F(xen_memory_exchange, in.extent_start, K_MFNS, 2),
        F(xen_memory_exchange, in.domid, K_SELF, 0),
        F(xen_memory_exchange, out.nr_extents, K_CONST, 1),
        F(xen_memory_exchange, out.extent_order, K_CONST, 1),
        F(xen_memory_exchange, out.extent_start, K_MFNS, 1),
        F(xen_memory_exchange, out.domid, K_SELF, 0), {0, 0, OUT_MFNS, 1}),
    {.name = "memory_op reservations asked",
     .nr = __HYPERVISOR_memory_op,
     .weight = 1,
     REGS(V(K_BELOW, 64), V(K_BUF, 256))},
    MEM("machphys_mapping", 1, XENMEM_machphys_mapping, xen_machphys_mapping, WHEN_ZERO_OR_MORE,
        {0}),
    MEM("memory_map", 4, XENMEM_memory_map, xen_memory_map, WHEN_ZERO_OR_MORE,
        F(xen_memory_map, nr_entries, K_BELOW, 9), F(xen_memory_map, buffer, K_BUF, 200)),
    {.name = "memory_op set_memory_map",
     .nr = __HYPERVISOR_memory_op,
     .weight = 8,
     .who = CONTROL,
     REGS(C(XENMEM_set_memory_map), ARG),
     BODY(xen_foreign_memory_map, 1),
     .fields = {F(xen_foreign_memory_map, domid, K_OTHER, 0),
                F(xen_foreign_memory_map, map.nr_entries, K_BELOW, 9),
                F(xen_foreign_memory_map, map.buffer, K_BUF, 200)}},
    {.name = "memory_op machine_memory_map",
     .nr = __HYPERVISOR_memory_op,
     .weight = 1,
     .who = CONTROL,
     REGS(C(XENMEM_machine_memory_map), ARG),
     BODY(xen_memory_map, 1),
     .fields = {F(xen_memory_map, nr_entries, K_BELOW, 9), F(xen_memory_map, buffer, K_BUF, 200)}},
    {.name = "memory_op claim_pages",
     .nr = __HYPERVISOR_memory_op,
     .weight = 1,
     .who = CONTROL,
     REGS(C(XENMEM_claim_pages), ARG),
     BODY(xen_memory_reservation, 1),
     .fields = {F(xen_memory_reservation, domid, K_GUEST, 0),
                F(xen_memory_reservation, nr_extents, K_BELOW, 60)}},
    {.name = "memory_op acquire_resource",
     .nr = __HYPERVISOR_memory_op,
     .weight = 3,
     .who = CONTROL,
     REGS(C(XENMEM_acquire_resource), ARG),
     BODY(xen_mem_acquire_resource, 1),
     .fields = {F(xen_mem_acquire_resource, domid, K_GUEST, 0),
                F(xen_mem_acquire_resource, type, K_CONST, XENMEM_resource_grant_table),
                F(xen_mem_acquire_resource, nr_frames, K_BELOW, 5),
                F(xen_mem_acquire_resource, frame_list, K_BUF, 64)}},

    /* --- the control domain's own --- */
    {.name = "domctl createdomain",
     .nr = __HYPERVISOR_domctl,
     .weight = 16,
     .who = CONTROL,
     REGS(ARG),
     BODY(xen_domctl, 1),
     .fields = {F(xen_domctl, cmd, K_CONST, XEN_DOMCTL_createdomain),
                F(xen_domctl, interface_version, K_CONST, XEN_DOMCTL_INTERFACE_VERSION),
                F(xen_domctl, domain, K_SPARE, 0), CTL(createdomain.max_vcpus, K_BELOW, 4),
                CTL(createdomain.max_evtchn_port, K_ANY, 0),
                CTL(createdomain.max_grant_frames, K_BELOW, 5),
                CTL(createdomain.max_maptrack_frames, K_BELOW, 5)}},
    DOMCTL("destroydomain", 8, XEN_DOMCTL_destroydomain, {0}),
    DOMCTL("pausedomain", 2, XEN_DOMCTL_pausedomain, {0}),
    DOMCTL("unpausedomain", 8, XEN_DOMCTL_unpausedomain, {0}),
    DOMCTL("resumedomain", 8, XEN_DOMCTL_resumedomain, {0}),
    DOMCTL("getdomaininfo", 2, XEN_DOMCTL_getdomaininfo, {0}),
    DOMCTL("setvcpucontext", 8, XEN_DOMCTL_setvcpucontext, CTL(vcpucontext.vcpu, K_VCPU, 0),
           CTL(vcpucontext.ctxt, K_CONTEXT, 0)),
    DOMCTL("getvcpucontext", 3, XEN_DOMCTL_getvcpucontext, CTL(vcpucontext.vcpu, K_VCPU, 0),
           CTL(vcpucontext.ctxt, K_BUF, sizeof(vcpu_guest_context_t))),
    DOMCTL("getvcpuinfo", 2, XEN_DOMCTL_getvcpuinfo, CTL(getvcpuinfo.vcpu, K_VCPU, 0)),
    DOMCTL("max_vcpus", 16, XEN_DOMCTL_max_vcpus, CTL(max_vcpus.max, K_CONST, VCPUS)),
    DOMCTL("max_mem", 4, XEN_DOMCTL_max_mem, CTL(max_mem.max_memkb, K_BELOW, 300)),
    DOMCTL("setdomainhandle", 2, XEN_DOMCTL_setdomainhandle, {0}),
    DOMCTL("settimeoffset", 1, XEN_DOMCTL_settimeoffset,
           CTL(settimeoffset.time_offset_seconds, K_ANY, 0)),
    DOMCTL("hypercall_init", 3, XEN_DOMCTL_hypercall_init, CTL(hypercall_init.gmfn, K_MFN, 0)),
    DOMCTL("set_address_size", 1, XEN_DOMCTL_set_address_size, CTL(address_size.size, K_CONST, 64)),
    DOMCTL("get_address_size", 1, XEN_DOMCTL_get_address_size, {0}),
    DOMCTL("settscinfo", 2, XEN_DOMCTL_settscinfo, CTL(tsc_info.tsc_mode, K_BELOW, 4)),
    DOMCTL("gettscinfo", 1, XEN_DOMCTL_gettscinfo, {0}),
    DOMCTL("setvcpuaffinity", 3, XEN_DOMCTL_setvcpuaffinity, CTL(vcpuaffinity.vcpu, K_VCPU, 0),
           CTL(vcpuaffinity.flags, K_BELOW, 4), CTL(vcpuaffinity.cpumap_hard.bitmap, K_BUF, 8),
           CTL(vcpuaffinity.cpumap_hard.nr_bits, K_BELOW, 65),
           CTL(vcpuaffinity.cpumap_soft.bitmap, K_BUF, 8),
           CTL(vcpuaffinity.cpumap_soft.nr_bits, K_BELOW, 65)),
    DOMCTL("getvcpuaffinity", 1, XEN_DOMCTL_getvcpuaffinity, CTL(vcpuaffinity.vcpu, K_VCPU, 0),
           CTL(vcpuaffinity.flags, K_BELOW, 4), CTL(vcpuaffinity.cpumap_hard.bitmap, K_BUF, 8),
           CTL(vcpuaffinity.cpumap_hard.nr_bits, K_BELOW, 65)),
    DOMCTL("getnodeaffinity", 1, XEN_DOMCTL_getnodeaffinity,
           CTL(nodeaffinity.nodemap.bitmap, K_BUF, 8),
           CTL(nodeaffinity.nodemap.nr_bits, K_BELOW, 65)),
    DOMCTL("scheduler_op", 2, XEN_DOMCTL_scheduler_op,
           CTL(scheduler_op.sched_id, K_CONST, XEN_SCHEDULER_CREDIT2),
           CTL(scheduler_op.cmd, K_BELOW, 4), CTL(scheduler_op.u.credit2.weight, K_BELOW, 600),
           CTL(scheduler_op.u.credit2.cap, K_BELOW, 3300)),
    DOMCTL("get_cpu_policy", 1, XEN_DOMCTL_get_cpu_policy, CTL(cpu_policy.nr_leaves, K_BELOW, 60),
           CTL(cpu_policy.leaves, K_BUF, 1600)),
    DOMCTL("set_cpu_policy", 1, XEN_DOMCTL_set_cpu_policy, CTL(cpu_policy.nr_leaves, K_BELOW, 60)),
    DOMCTL("irq_permission", 2, XEN_DOMCTL_irq_permission,
           CTL(irq_permission.allow_access, K_BELOW, 2)),
    DOMCTL("iomem_permission", 2, XEN_DOMCTL_iomem_permission,
           CTL(iomem_permission.allow_access, K_BELOW, 2)),
    DOMCTL("ioport_permission", 2, XEN_DOMCTL_ioport_permission,
           CTL(ioport_permission.allow_access, K_BELOW, 2)),
    SYSCTL("readconsole", 1, XEN_SYSCTL_readconsole, SYS(readconsole.count, K_BELOW, 800),
           SYS(readconsole.buffer, K_BUF, 800), SYS(readconsole.clear, K_BELOW, 2),
           SYS(readconsole.incremental, K_BELOW, 2), SYS(readconsole.index, K_ANY, 0)),
    SYSCTL("physinfo", 1, XEN_SYSCTL_physinfo, {0}),
    SYSCTL("sched_id", 1, XEN_SYSCTL_sched_id, {0}),
    SYSCTL("getdomaininfolist", 1, XEN_SYSCTL_getdomaininfolist,
           SYS(getdomaininfolist.max_domains, K_BELOW, 8),
           SYS(getdomaininfolist.first_domain, K_BELOW, 4),
           SYS(getdomaininfolist.buffer, K_BUF, 1200)),
    SYSCTL("getcpuinfo", 1, XEN_SYSCTL_getcpuinfo, SYS(getcpuinfo.max_cpus, K_BELOW, 9),
           SYS(getcpuinfo.info, K_BUF, 64)),
    SYSCTL("availheap", 1, XEN_SYSCTL_availheap, SYS(availheap.node, K_BELOW, 2)),
    SYSCTL("cputopoinfo", 1, XEN_SYSCTL_cputopoinfo, SYS(cputopoinfo.num_cpus, K_BELOW, 9),
           SYS(cputopoinfo.cputopo, K_BUF, 128)),
    SYSCTL("numainfo", 1, XEN_SYSCTL_numainfo, SYS(numainfo.num_nodes, K_BELOW, 3),
           SYS(numainfo.meminfo, K_BUF, 64), SYS(numainfo.distance, K_BUF, 64)),
    SYSCTL("cpupool_op", 2, XEN_SYSCTL_cpupool_op, SYS(cpupool_op.op, K_BELOW, 7),
           SYS(cpupool_op.cpumap.bitmap, K_BUF, 8), SYS(cpupool_op.cpumap.nr_bits, K_BELOW, 65)),
    SYSCTL("get_cpu_featureset", 1, XEN_SYSCTL_get_cpu_featureset,
           SYS(cpu_featureset.index, K_BELOW, 5), SYS(cpu_featureset.nr_features, K_BELOW, 20),
           SYS(cpu_featureset.features, K_BUF, 80)),
    SYSCTL("get_cpu_policy", 1, XEN_SYSCTL_get_cpu_policy, SYS(cpu_policy.index, K_BELOW, 7),
           SYS(cpu_policy.nr_leaves, K_BELOW, 60), SYS(cpu_policy.leaves, K_BUF, 1600)),

    /* --- several at once --- */
    PLAIN(multicall, 12, V(K_CALLS, 5), V(K_BELOW, 6)),

    /* --- what nobody but tools and old kernels asks --- */
    PLATFORM("settime32", 1, XENPF_settime32, PLAT(settime32.secs, K_BELOW, 0x7fffffff),
             PLAT(settime32.nsecs, K_BELOW, 1100000000), PLAT(settime32.system_time, K_TIME, 0)),
    VCPU("register_vcpu_time", 1, VCPUOP_register_vcpu_time_memory_area,
         BODY(vcpu_register_time_memory_area, 1),
         .fields = {F(vcpu_register_time_memory_area, addr.p, K_VA, 0)}),
    {.name = "mmuext_op flush_cache_global",
     .nr = __HYPERVISOR_mmuext_op,
     .weight = 1,
     .who = CONTROL,
     MMU_BATCH,
     BODY(mmuext_op, 1),
     .fields = {F(mmuext_op, cmd, K_CONST, MMUEXT_FLUSH_CACHE_GLOBAL)}},
    SYSCTL("scheduler_op", 1, XEN_SYSCTL_scheduler_op,
           SYS(scheduler_op.sched_id, K_CONST, XEN_SCHEDULER_CREDIT2),
           SYS(scheduler_op.cmd, K_BELOW, 2),
           SYS(scheduler_op.u.sched_credit2.ratelimit_us, K_BELOW, 600000)),
    DOMCTL("setnodeaffinity", 1, XEN_DOMCTL_setnodeaffinity, {0}),
    PHYS("restore_msi", 1, PHYSDEVOP_restore_msi, physdev_restore_msi,
         F(physdev_restore_msi, devfn, K_ANY, 0)),
    PHYS("restore_msi_ext", 1, PHYSDEVOP_restore_msi_ext, physdev_pci_device,
         F(physdev_pci_device, seg, K_BELOW, 2), F(physdev_pci_device, devfn, K_ANY, 0)),
    PHYS("manage_pci_add", 1, PHYSDEVOP_manage_pci_add, physdev_manage_pci, {0}),
    PHYS("manage_pci_remove", 1, PHYSDEVOP_manage_pci_remove, physdev_manage_pci, {0}),
    PHYS("pci_mmcfg_reserved", 1, PHYSDEVOP_pci_mmcfg_reserved, physdev_pci_mmcfg_reserved, {0}),
    PHYS("pci_device_add", 1, PHYSDEVOP_pci_device_add, physdev_pci_device_add, {0}),
    PHYS("pci_device_remove", 1, PHYSDEVOP_pci_device_remove, physdev_pci_device, {0}),
    PHYS("prepare_msix", 1, PHYSDEVOP_prepare_msix, physdev_pci_device, {0}),
    PHYS("release_msix", 1, PHYSDEVOP_release_msix, physdev_pci_device, {0}),
};

const unsigned op_count = ARRAY_LEN(ops);
struct tally tallies[ARRAY_LEN(ops)];
