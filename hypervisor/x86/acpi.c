/* SPDX-License-Identifier: MIT */
/*
 * The few static ACPI tables that tell about CPUs, interrupt controllers, clocks and power-off. No
 * AML: what needs it is the control domain's. Tables are firmware's word: lengths and checksums are
 * checked, and a table that lies is left out with a message.
 */
#include <tenue/log.h>

#include "lib.h"
#include "machine.h"

#define PACKED __attribute__((packed))

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t checksum2, reserved[3];
} PACKED;

struct table {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} PACKED;

struct gas {
    uint8_t space, width, offset, access;
    uint64_t addr;
} PACKED;

struct madt {
    struct table t;
    uint32_t lapic;
    uint32_t flags;
} PACKED;

struct hpet {
    struct table t;
    uint32_t id;
    struct gas base;
} PACKED;

struct fadt {
    struct table t;
    uint32_t facs, dsdt;
    uint8_t model, profile;
    uint16_t sci;
    uint32_t smi_cmd;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate;
    uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
    uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base, cst;
    uint16_t c2_lat, c3_lat, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t boot_flags;
    uint8_t reserved;
    uint32_t flags;
    struct gas reset;
    uint8_t reset_value;
} PACKED;

#define FADT_TIMER_32BIT (1u << 8)
#define FADT_RESET_SUPPORTED (1u << 10)
#define GAS_IO 1

enum madt_type { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_X2APIC = 9 };
#define MADT_CPU_ENABLED 1u

struct acpi_info acpi;

static bool checksum_ok(const volatile uint8_t *p, uint32_t len)
{
    uint8_t sum = 0;

    while (len-- > 0)
        sum = (uint8_t)(sum + *p++);
    return sum == 0;
}

/* The whole table mapped, or NULL when it cannot be one. */
static const struct table *map_table(uint64_t ma)
{
    const volatile struct table *t = map_device(ma, sizeof(*t), MAP_WB);
    uint32_t len = t->length;

    if (len < sizeof(*t) || len > 1u << 20)
        return NULL;
    t = map_device(ma, len, MAP_WB);
    if (!checksum_ok((const volatile uint8_t *)t, len)) {
        log_warn("ACPI: table at %#lx has a wrong checksum: ignored\n", ma);
        return NULL;
    }
    return (const struct table *)t;
}

static const struct rsdp *search(uint64_t ma, uint64_t size)
{
    const volatile uint8_t *p = map_device(ma, size, MAP_WB);

    for (uint64_t i = 0; i + sizeof(struct rsdp) <= size; i += 16)
        if (memcmp((const uint8_t *)p + i, "RSD PTR ", 8) == 0 && checksum_ok(p + i, 20))
            return (const struct rsdp *)(p + i);
    return NULL;
}

static const struct rsdp *find_rsdp(void)
{
    const volatile uint16_t *ebda = map_device(0x40e, 2, MAP_WB);
    const struct rsdp *r;

    if (boot_info.rsdp.a != 0)
        return (const struct rsdp *)map_device(boot_info.rsdp.a, sizeof(*r), MAP_WB);
    r = search((uint64_t)*ebda << 4, 1024);
    return r != NULL ? r : search(0xe0000, 0x20000);
}

static void add_cpu(uint32_t apic_id, uint32_t flags)
{
    if ((flags & MADT_CPU_ENABLED) && acpi.cpus < MAX_CPUS)
        acpi.cpu_apic_ids[acpi.cpus++] = apic_id;
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static void add_override(const uint8_t *e)
{
    uint16_t flags = (uint16_t)(e[8] | e[9] << 8);

    if (acpi.override_count == ARRAY_LEN(acpi.overrides))
        return;
    acpi.overrides[acpi.override_count].irq = e[3];
    acpi.overrides[acpi.override_count].gsi = get32(e + 4);
    acpi.overrides[acpi.override_count].active_low = (flags & 3) == 3;
    acpi.overrides[acpi.override_count].level = (flags >> 2 & 3) == 3;
    acpi.override_count++;
}

static void parse_madt(const struct table *t)
{
    const struct madt *m = (const struct madt *)t;
    const uint8_t *e = (const uint8_t *)(m + 1), *end = (const uint8_t *)m + t->length;

    acpi.lapic_addr = m->lapic;
    for (; e + 2 <= end && e[1] >= 2 && e + e[1] <= end; e += e[1]) {
        if (e[0] == MADT_LAPIC && e[1] >= 8) {
            add_cpu(e[3], get32(e + 4));
        } else if (e[0] == MADT_X2APIC && e[1] >= 16) {
            add_cpu(get32(e + 4), get32(e + 8));
        } else if (e[0] == MADT_OVERRIDE && e[1] >= 10) {
            add_override(e);
        } else if (e[0] == MADT_IOAPIC && e[1] >= 12 &&
                   acpi.ioapic_count < ARRAY_LEN(acpi.ioapics)) {
            acpi.ioapics[acpi.ioapic_count].addr = get32(e + 4);
            acpi.ioapics[acpi.ioapic_count].gsi_base = get32(e + 8);
            acpi.ioapic_count++;
        }
    }
}

static void parse_fadt(const struct table *t)
{
    const struct fadt *f = (const struct fadt *)t;

    if (t->length < offsetof(struct fadt, reset))
        return;
    acpi.pm1a_port = (uint16_t)f->pm1a_cnt;
    acpi.pm1b_port = (uint16_t)f->pm1b_cnt;
    acpi.pm_timer_port = (uint16_t)f->pm_tmr;
    acpi.pm_timer_32bit = (f->flags & FADT_TIMER_32BIT) != 0;
    if (t->length >= sizeof(*f) && (f->flags & FADT_RESET_SUPPORTED) && f->reset.space == GAS_IO) {
        acpi.reset_port = (uint16_t)f->reset.addr;
        acpi.reset_value = f->reset_value;
    }
}

static void parse_table(uint64_t ma)
{
    const struct table *t = map_table(ma);

    if (t == NULL)
        return;
    if (memcmp(t->signature, "APIC", 4) == 0 && t->length >= sizeof(struct madt))
        parse_madt(t);
    else if (memcmp(t->signature, "FACP", 4) == 0)
        parse_fadt(t);
    else if (memcmp(t->signature, "HPET", 4) == 0 && t->length >= sizeof(struct hpet))
        acpi.hpet_addr = ((const struct hpet *)t)->base.addr;
}

void acpi_init(void)
{
    const struct rsdp *r = find_rsdp();
    const struct table *root = NULL;
    bool wide;

    if (r == NULL)
        boot_fail("ACPI: no RSDP found: enable ACPI in the machine's firmware");
    wide = r->revision >= 2 && r->xsdt != 0;
    root = map_table(wide ? r->xsdt : r->rsdt);
    if (root == NULL)
        boot_fail("ACPI: the %s is unusable: the machine's firmware is broken",
                  wide ? "XSDT" : "RSDT");
    for (uint32_t off = sizeof(*root), step = wide ? 8 : 4; off + step <= root->length;
         off += step) {
        uint64_t ma = 0;

        memcpy(&ma, (const uint8_t *)root + off, step);
        parse_table(ma);
    }
    if (acpi.lapic_addr == 0 || acpi.ioapic_count == 0)
        boot_fail("ACPI: no MADT with an I/O APIC: enable the APIC in the machine's firmware");
}
