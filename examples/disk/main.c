/* SPDX-License-Identifier: MIT */
/*
 * disk - reads all of its disk and prints what `cksum` would print of the image, so that anybody
 * can see on the other side that every byte arrived, and in order.
 */
#include <tenue-front/front.h>
#include <tenue-front/x86.h>

#define XVDA 51712
#define PAGE_SECTORS 8u

static u32 table[256];

static void make_table(void)
{
    for (u32 i = 0; i < 256; i++) {
        u32 c = i << 24;

        for (int bit = 0; bit < 8; bit++)
            c = c << 1 ^ (c & 0x80000000 ? 0x04c11db7 : 0);
        table[i] = c;
    }
}

static u32 add(u32 sum, u8 byte)
{
    return sum << 8 ^ table[sum >> 24 ^ byte];
}

void front_main(void)
{
    struct front_blk *disk;
    u8 *page = front_page_alloc();
    u32 sum = 0;
    u64 bytes;
    int rc;

    front_irq_enable();
    rc = front_blk_open(XVDA, &disk);
    if (rc)
        front_panic("xvda does not open: %d", rc);
    make_table();
    bytes = front_blk_sectors(disk) * 512;
    for (u64 at = 0; at < bytes; at += FRONT_PAGE_SIZE) {
        u64 left = bytes - at < FRONT_PAGE_SIZE ? bytes - at : FRONT_PAGE_SIZE;

        rc = front_blk_read(disk, at / 512, page, (unsigned)(left / 512));
        if (rc)
            front_panic("sector %lu: %d", at / 512, rc);
        for (u64 i = 0; i < left; i++)
            sum = add(sum, page[i]);
    }
    for (u64 n = bytes; n; n >>= 8) /* cksum adds the length to the bytes */
        sum = add(sum, (u8)n);
    front_printf("disk: %u %lu\n", ~sum, bytes);
    front_blk_close(disk);
    front_console_drain();
}
