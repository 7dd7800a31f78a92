/* SPDX-License-Identifier: MIT */
/*
 * The few static ACPI tables that tell about CPUs, interrupt controllers, clocks and power-off. No
 * AML: what needs it is the control domain's. Tables are firmware's word: lengths and checksums are
 * checked, and a table that lies is left out with a message.
 */
#include <tenue/log.h>

#include "lib.h"
#include "machine.h"

/* Where the fields that we read lie, as the ACPI specification numbers them. */
#define RSDP_SIZE 36u
#define RSDP_CHECKED 20u
#define RSDP_REVISION 15
#define RSDP_RSDT 16
#define RSDP_XSDT 24
#define TABLE_LENGTH 4
#define TABLE_HEADER 36u
#define TABLE_MAX (1u << 20)
#define MADT_LAPIC_ADDRESS 36
#define MADT_ENTRIES 44u
#define FADT_PM1A_CONTROL 64
#define FADT_PM1B_CONTROL 68
#define FADT_PM_TIMER 76
#define FADT_FLAGS 112
#define FADT_TIMER_32BIT (1u << 8)
#define FADT_RESET_SUPPORTED (1u << 10)
#define FADT_RESET_SPACE 116
#define FADT_RESET_ADDRESS 120
#define FADT_RESET_VALUE 128
#define SPACE_IO 1
#define HPET_ADDRESS 44

enum madt_type { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_X2APIC = 9 };
#define MADT_CPU_ENABLED 1u

/* A table, or a part of one. */
struct table {
    const uint8_t *at; /* NULL: none */
    uint32_t length;
};

struct acpi_info acpi;

/* A field, 0 where the table has none. */
static uint64_t get(struct table t, uint32_t offset, uint32_t bytes)
{
    uint64_t v = 0;

    if (offset + bytes <= t.length)
        memcpy(&v, t.at + offset, bytes);
    return v;
}

static bool checksum_ok(const uint8_t *p, uint32_t len)
{
    uint8_t sum = 0;

    while (len-- > 0)
        sum = (uint8_t)(sum + *p++);
    return sum == 0;
}

static struct table map(uint64_t ma, uint32_t length)
{
    return (struct table){(const uint8_t *)map_device(ma, length, MAP_WB), length};
}

/* The whole table mapped, or none when it cannot be one. */
static struct table map_table(uint64_t ma)
{
    const struct table none = {NULL, 0};
    uint64_t length = get(map(ma, TABLE_HEADER), TABLE_LENGTH, 4);
    struct table t;

    if (length < TABLE_HEADER || length > TABLE_MAX)
        return none;
    t = map(ma, (uint32_t)length);
    if (checksum_ok(t.at, t.length))
        return t;
    log_warn("ACPI: table at %#lx has a wrong checksum: ignored\n", ma);
    return none;
}

static struct table search(uint64_t ma, uint32_t size)
{
    struct table area = map(ma, size);

    for (; area.length >= RSDP_SIZE; area.at += 16, area.length -= 16)
        if (memcmp(area.at, "RSD PTR ", 8) == 0 && checksum_ok(area.at, RSDP_CHECKED))
            return area;
    return (struct table){NULL, 0};
}

static struct table find_rsdp(void)
{
    struct table r;

    if (boot_info.rsdp.a != 0)
        return map(boot_info.rsdp.a, RSDP_SIZE);
    r = search(get(map(0x40e, 2), 0, 2) << 4, 1024); /* the EBDA */
    return r.at != NULL ? r : search(0xe0000, 0x20000);
}

static void add_cpu(uint64_t apic_id, uint64_t flags)
{
    if ((flags & MADT_CPU_ENABLED) && acpi.cpus < MAX_CPUS)
        acpi.cpu_apic_ids[acpi.cpus++] = (uint32_t)apic_id;
}

static void add_ioapic(struct table e)
{
    if (e.length < 12 || acpi.ioapic_count == ARRAY_LEN(acpi.ioapics))
        return;
    acpi.ioapics[acpi.ioapic_count].addr = get(e, 4, 4);
    acpi.ioapics[acpi.ioapic_count++].gsi_base = (uint32_t)get(e, 8, 4);
}

static void add_override(struct table e)
{
    uint64_t flags = get(e, 8, 2);

    if (e.length < 10 || acpi.override_count == ARRAY_LEN(acpi.overrides))
        return;
    acpi.overrides[acpi.override_count++] = (struct acpi_override){
        .irq = e.at[3],
        .gsi = (uint32_t)get(e, 4, 4),
        .mode = ((flags & 3) == 3 ? IOAPIC_ACTIVE_LOW : 0) |
                ((flags >> 2 & 3) == 3 ? IOAPIC_LEVEL : 0),
    };
}

static void parse_madt(struct table t)
{
    struct table e;

    acpi.lapic_addr = get(t, MADT_LAPIC_ADDRESS, 4);
    for (uint32_t off = MADT_ENTRIES; off + 2 <= t.length; off += e.length) {
        e = (struct table){t.at + off, t.at[off + 1]};
        if (e.length < 2 || off + e.length > t.length)
            return;
        if (e.at[0] == MADT_LAPIC)
            add_cpu(get(e, 3, 1), get(e, 4, 4));
        else if (e.at[0] == MADT_X2APIC)
            add_cpu(get(e, 4, 4), get(e, 8, 4));
        else if (e.at[0] == MADT_OVERRIDE)
            add_override(e);
        else if (e.at[0] == MADT_IOAPIC)
            add_ioapic(e);
    }
}

static void parse_fadt(struct table t)
{
    uint64_t flags = get(t, FADT_FLAGS, 4);

    acpi.pm1a_port = (uint16_t)get(t, FADT_PM1A_CONTROL, 4);
    acpi.pm1b_port = (uint16_t)get(t, FADT_PM1B_CONTROL, 4);
    acpi.pm_timer_port = (uint16_t)get(t, FADT_PM_TIMER, 4);
    acpi.pm_timer_32bit = flags & FADT_TIMER_32BIT;
    if ((flags & FADT_RESET_SUPPORTED) && get(t, FADT_RESET_SPACE, 1) == SPACE_IO) {
        acpi.reset_port = (uint16_t)get(t, FADT_RESET_ADDRESS, 8);
        acpi.reset_value = (uint8_t)get(t, FADT_RESET_VALUE, 1);
    }
}

static void parse_table(uint64_t ma)
{
    struct table t = map_table(ma);

    if (t.at == NULL)
        return;
    if (memcmp(t.at, "APIC", 4) == 0)
        parse_madt(t);
    else if (memcmp(t.at, "FACP", 4) == 0)
        parse_fadt(t);
    else if (memcmp(t.at, "HPET", 4) == 0)
        acpi.hpet_addr = get(t, HPET_ADDRESS, 8);
}

void acpi_init(void)
{
    struct table r = find_rsdp(), root;
    bool wide;

    if (r.at == NULL)
        boot_fail("ACPI: no RSDP found: enable ACPI in the machine's firmware");
    wide = get(r, RSDP_REVISION, 1) >= 2 && get(r, RSDP_XSDT, 8) != 0;
    root = map_table(wide ? get(r, RSDP_XSDT, 8) : get(r, RSDP_RSDT, 4));
    if (root.at == NULL)
        boot_fail("ACPI: the %s is unusable: the machine's firmware is broken",
                  wide ? "XSDT" : "RSDT");
    for (uint32_t off = TABLE_HEADER, step = wide ? 8 : 4; off + step <= root.length; off += step)
        parse_table(get(root, off, step));
    if (acpi.lapic_addr == 0 || acpi.ioapic_count == 0)
        boot_fail("ACPI: no MADT with an I/O APIC: enable the APIC in the machine's firmware");
}
