/* SPDX-License-Identifier: MIT */
/*
 * core/msi.c, pirq.c, physdev_op.c: messages of devices. What is written into a device, masked
 * until somebody listens; and what is refused: no device, no capability, a list of capabilities
 * without end, an entry beyond the table, a table elsewhere than the caller says, in RAM, or in
 * what is ours, twice the same, too many, another domain, several vectors at once (IRQ-1, IRQ-2).
 *
 * Sabotage: drop the test of hal_mmio_is_ours() in may_be_table(): tables_where_none_may_be; of
 * CAPS_MAX in find_capability(): lists_without_end does not end; unmask in msi_map(): a_message; do
 * not look at p->port in unmap(): bound_ones_stay.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/entrypoints.h>
#include <tenue/evtchn.h>
#include <tenue/options.h>
#include <tenue/pirq.h>

#include "../../hypervisor/core/msi.h"

#define BDF 0x0310u /* 03:02.0 */
#define CAP_X 0x70u
#define CAP_M 0x50u
#define BAR ((uint64_t)FAKE_MMIO_FRAME << PAGE_SHIFT)

static union {
    uint8_t b[256];
    uint32_t w[64];
} config;
static struct guest control;
static uint32_t *const table = fake_metal.device;

/* One device. */
static uint32_t pci(uint32_t address, unsigned offset, unsigned bytes, const uint32_t *out)
{
    const unsigned at = (address & 0xfc) + offset;
    uint32_t value = 0;

    CU_ASSERT(address >> 31 && at + bytes <= 256);
    if ((address >> 8 & 0xffff) != BDF)
        return ~0u >> (32 - 8 * bytes);
    memcpy(&value, &config.b[at], bytes);
    if (out)
        memcpy(&config.b[at], out, bytes);
    return value;
}

static void put16(unsigned at, uint16_t v)
{
    memcpy(&config.b[at], &v, 2);
}

static uint16_t get16(unsigned at)
{
    uint16_t v;

    memcpy(&v, &config.b[at], 2);
    return v;
}

/* A network card with MSI (64 bits, a mask) and MSI-X of eight entries at 0x100 in a 64-bit BAR 1.
 */
static void device(void)
{
    memset(&config, 0, sizeof(config));
    memset(table, 0, sizeof(fake_metal.device));
    config.w[0] = 0x10d38086;
    put16(0x04, 2);
    put16(0x06, 0x10);
    config.b[0x34] = CAP_M;
    config.w[5] = (uint32_t)BAR | 4;
    config.w[6] = (uint32_t)(BAR >> 32);
    config.b[CAP_M] = 5;
    config.b[CAP_M + 1] = CAP_X;
    put16(CAP_M + 2, 0x180 | 0x30);
    config.b[CAP_X] = 0x11;
    put16(CAP_X + 2, 7);
    config.w[(CAP_X + 4) / 4] = 0x100 | 1;
}

static void begin(void)
{
    fake_control_end();
    guest_init(&control, fake_control_begin(1));
    fake_run(control.d->vcpus[0]);
    fake_metal.pci = pci;
    fake_metal.msi_routes = 0;
    fake_metal.msi_routes_max = MSI_SLOTS;
    options.msi = true;
    device();
}

static void end(void)
{
    CU_ASSERT_EQUAL(fake_metal.msi_routes, 0);
    fake_metal.pci = NULL;
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

static struct physdev_map_pirq request(int type, int entry, uint64_t base)
{
    return (struct physdev_map_pirq){.domid = DOMID_SELF,
                                     .type = type,
                                     .index = -1,
                                     .pirq = -1,
                                     .bus = BDF >> 8,
                                     .devfn = BDF & 0xff,
                                     .entry_nr = entry,
                                     .table_base = base};
}

static long op(uint64_t cmd, void *arg, size_t bytes)
{
    long rc;

    memcpy(guest_ptr(&control, 40), arg, bytes);
    rc = fake_hypercall(__HYPERVISOR_physdev_op, cmd, guest_va_at(40), 0, 0);
    memcpy(arg, guest_ptr(&control, 40), bytes);
    return rc;
}

/* The pirq, or the error. */
static long map(struct physdev_map_pirq m)
{
    long rc = op(PHYSDEVOP_map_pirq, &m, sizeof(m));

    return rc ? rc : m.pirq;
}

static long map_x(int entry)
{
    return map(request(MAP_PIRQ_TYPE_MSI_SEG, entry, BAR));
}

static long unmap(long pirq)
{
    struct physdev_unmap_pirq u = {.domid = DOMID_SELF, .pirq = (int)pirq};

    return op(PHYSDEVOP_unmap_pirq, &u, sizeof(u));
}

static bool pending(port_t port)
{
    return control.d->shared_info->evtchn_pending[port / 64] >> port % 64 & 1;
}

static void a_message(void)
{
    struct physdev_irq_status_query query;
    uint32_t *entry = &table[0x100 / 4 + 3 * 4];
    long pirq;
    port_t port;

    begin();
    pirq = map_x(3);
    CU_ASSERT_FATAL(pirq >= 24 && pirq < (long)MAX_PIRQS);
    CU_ASSERT(entry[0] == 0xfee01000 && entry[1] == 0 && entry[2] == (uint32_t)pirq);
    CU_ASSERT_EQUAL(entry[3], 1); /* masked: nobody listens */
    query = (struct physdev_irq_status_query){.irq = (uint32_t)pirq, .flags = ~0u};
    CU_ASSERT_EQUAL(op(PHYSDEVOP_irq_status_query, &query, sizeof(query)), 0);
    CU_ASSERT_EQUAL(query.flags, 0); /* needs no end of interrupt */
    pirq_interrupt((unsigned)pirq);
    CU_ASSERT_EQUAL_FATAL(evtchn_bind(control.d, EVTCHN_PIRQ, (uint32_t)pirq, 0, &port), 0);
    CU_ASSERT_EQUAL(entry[3], 0);
    CU_ASSERT_FALSE(pending(port));
    pirq_interrupt((unsigned)pirq);
    CU_ASSERT_TRUE(pending(port));
    CU_ASSERT_EQUAL(fake_audit(), 0);
    memset(table, 0, sizeof(fake_metal.device)); /* a reset */
    msi_restore(BDF);
    CU_ASSERT(entry[0] == 0xfee01000 && entry[2] == (uint32_t)pirq && entry[3] == 0);
    CU_ASSERT_EQUAL(evtchn_close(control.d, port), 0);
    CU_ASSERT_EQUAL(entry[3], 1);
    CU_ASSERT_EQUAL(unmap(pirq), 0);
    CU_ASSERT_EQUAL(unmap(pirq), -XEN_EINVAL);
    pirq_interrupt((unsigned)pirq); /* in flight */
    end();
}

static void plain_msi(void)
{
    long pirq;

    begin();
    pirq = map(request(MAP_PIRQ_TYPE_MSI, 0, 0));
    CU_ASSERT_FATAL(pirq > 0);
    CU_ASSERT_EQUAL(config.w[(CAP_M + 4) / 4], 0xfee01000);
    CU_ASSERT_EQUAL(config.w[(CAP_M + 8) / 4], 0);
    CU_ASSERT_EQUAL(get16(CAP_M + 0xc), pirq);
    CU_ASSERT_EQUAL(config.w[(CAP_M + 0x10) / 4], 1);
    CU_ASSERT_EQUAL(get16(CAP_M + 2) & 0x71, 0); /* one vector, not enabled */
    CU_ASSERT_EQUAL(map_x(0), -XEN_EEXIST);      /* the other kind */
    CU_ASSERT_EQUAL(unmap(pirq), 0);
    /* 32 bits, no mask. */
    put16(CAP_M + 2, 0);
    config.w[(CAP_M + 0xc) / 4] = 0x55555555;
    pirq = map(request(MAP_PIRQ_TYPE_MULTI_MSI, 1, 0));
    CU_ASSERT_FATAL(pirq > 0);
    CU_ASSERT_EQUAL(get16(CAP_M + 8), pirq);
    CU_ASSERT_EQUAL(config.w[(CAP_M + 0xc) / 4], 0x55555555);
    CU_ASSERT_EQUAL(unmap(pirq), 0);
    end();
}

static void bound_ones_stay(void)
{
    port_t port;
    long pirq;

    begin();
    pirq = map_x(0);
    CU_ASSERT_EQUAL(map_x(0), -XEN_EEXIST);
    CU_ASSERT_EQUAL_FATAL(evtchn_bind(control.d, EVTCHN_PIRQ, (uint32_t)pirq, 0, &port), 0);
    CU_ASSERT_EQUAL(unmap(pirq), -XEN_EBUSY);
    CU_ASSERT_EQUAL(evtchn_close(control.d, port), 0);
    CU_ASSERT_EQUAL(unmap(pirq), 0);
    CU_ASSERT_EQUAL(evtchn_bind(control.d, EVTCHN_PIRQ, (uint32_t)pirq, 0, &port), -XEN_EPERM);
    end();
}

static void tables_where_none_may_be(void)
{
    begin();
    CU_ASSERT_EQUAL(map_x(8), -XEN_EINVAL);
    CU_ASSERT_EQUAL(map(request(MAP_PIRQ_TYPE_MSI_SEG, 0, BAR + PAGE_SIZE)), -XEN_EINVAL);
    put16(0x04, 0); /* memory is not decoded */
    CU_ASSERT_EQUAL(map_x(0), -XEN_ENXIO);
    put16(0x04, 2);
    config.w[5] = (uint32_t)(BAR + PAGE_SIZE) | 4; /* a page that is ours */
    CU_ASSERT_EQUAL(map(request(MAP_PIRQ_TYPE_MSI_SEG, 0, BAR + PAGE_SIZE)), -XEN_EINVAL);
    config.w[5] = 0xf0004; /* the first MiB */
    CU_ASSERT_EQUAL(map(request(MAP_PIRQ_TYPE_MSI_SEG, 0, 0xf0000)), -XEN_EINVAL);
    config.w[5] = 4;
    config.w[6] = 0x80000000; /* beyond what can be addressed */
    CU_ASSERT_EQUAL(map(request(MAP_PIRQ_TYPE_MSI_SEG, 0, 0x80000000ull << 32)), -XEN_EINVAL);
    config.w[5] = 0xc001; /* ports */
    CU_ASSERT_EQUAL(map(request(MAP_PIRQ_TYPE_MSI_SEG, 0, 0xc000)), -XEN_EINVAL);
    config.w[(CAP_X + 4) / 4] = 0x106; /* no such BAR */
    CU_ASSERT_EQUAL(map_x(0), -XEN_EINVAL);
    device();
    config.w[5] = (uint32_t)(BAR + 3 * PAGE_SIZE) | 4; /* a page too many for the machine */
    CU_ASSERT_EQUAL(map(request(MAP_PIRQ_TYPE_MSI_SEG, 0, BAR + 3 * PAGE_SIZE)), -XEN_ENOSPC);
    end();
}

static void lists_without_end(void)
{
    begin();
    config.b[CAP_X + 1] = CAP_M;
    config.b[CAP_X] = 9;
    CU_ASSERT_EQUAL(map_x(0), -XEN_ENODEV);
    put16(0x06, 0);
    CU_ASSERT_EQUAL(map_x(0), -XEN_ENODEV);
    end();
}

static void refusals(void)
{
    static const struct {
        int type, bus, devfn, index, pirq, entry;
        long rc;
    } bad[] = {
        {MAP_PIRQ_TYPE_UNKNOWN, 3, 0x10, -1, -1, 0, -XEN_EINVAL},
        {77, 3, 0x10, -1, -1, 0, -XEN_EINVAL},
        {MAP_PIRQ_TYPE_MULTI_MSI, 3, 0x10, -1, -1, 4, -XEN_EOPNOTSUPP},
        {MAP_PIRQ_TYPE_MULTI_MSI, 3, 0x10, -1, -1, 0, -XEN_EINVAL},
        {MAP_PIRQ_TYPE_MSI_SEG, 0x10003, 0x10, -1, -1, 0, -XEN_ENODEV},
        {MAP_PIRQ_TYPE_MSI_SEG, -1, 0x10, -1, -1, 0, -XEN_ENODEV},
        {MAP_PIRQ_TYPE_MSI, 0x100, 0x10, -1, -1, 0, -XEN_EINVAL},
        {MAP_PIRQ_TYPE_MSI, 3, 0x100, -1, -1, 0, -XEN_EINVAL},
        {MAP_PIRQ_TYPE_MSI, 3, 0x10, 5, -1, 0, -XEN_EINVAL},
        {MAP_PIRQ_TYPE_MSI, 3, 0x10, -1, 5, 0, -XEN_EINVAL},
        {MAP_PIRQ_TYPE_MSI, 3, 0x10, -1, -1, -1, -XEN_EINVAL},
        {MAP_PIRQ_TYPE_MSI, 3, 0x10, -1, -1, 1, -XEN_EINVAL},
        {MAP_PIRQ_TYPE_MSI, 3, 0x11, -1, -1, 0, -XEN_ENODEV},
    };
    struct physdev_map_pirq m;

    begin();
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        m = request(bad[i].type, bad[i].entry, 0);
        m.bus = bad[i].bus;
        m.devfn = bad[i].devfn;
        m.index = bad[i].index;
        m.pirq = bad[i].pirq;
        CU_ASSERT_EQUAL(map(m), bad[i].rc);
    }
    m = request(MAP_PIRQ_TYPE_MSI, 0, 0);
    m.domid = 7;
    CU_ASSERT_EQUAL(map(m), -XEN_EOPNOTSUPP);
    fake_metal.msi_routes_max = 0;
    CU_ASSERT_EQUAL(map_x(0), -XEN_ENOSPC);
    options.msi = false;
    CU_ASSERT_EQUAL(map_x(0), -XEN_ENOSYS); /* what Linux falls back on */
    options.msi = true;
    CU_ASSERT_EQUAL(unmap(255), -XEN_EINVAL);
    CU_ASSERT_EQUAL(unmap(256), -XEN_EINVAL);
    CU_ASSERT_EQUAL(unmap(1), 0); /* a pin */
    control.d->is_control = false;
    CU_ASSERT_EQUAL(map_x(0), -XEN_EPERM);
    control.d->is_control = true;
    end();
}

static void as_many_as_there_are(void)
{
    long pirqs[MSI_SLOTS];

    begin();
    put16(CAP_X + 2, 0x7ff);
    config.w[(CAP_X + 4) / 4] = 1;
    for (unsigned i = 0; i < MSI_SLOTS; i++) {
        pirqs[i] = map_x((int)i);
        CU_ASSERT_FATAL(pirqs[i] > 0);
    }
    CU_ASSERT_EQUAL(map_x(MSI_SLOTS), -XEN_ENOSPC);
    for (unsigned i = 0; i < MSI_SLOTS; i++)
        CU_ASSERT_EQUAL(unmap(pirqs[i]), 0);
    end();
}

void suite_msi(void);

void suite_msi(void)
{
    CU_pSuite s = CU_add_suite("msi", NULL, NULL);

    CU_ADD_TEST(s, a_message);
    CU_ADD_TEST(s, plain_msi);
    CU_ADD_TEST(s, bound_ones_stay);
    CU_ADD_TEST(s, tables_where_none_may_be);
    CU_ADD_TEST(s, lists_without_end);
    CU_ADD_TEST(s, refusals);
    CU_ADD_TEST(s, as_many_as_there_are);
}
