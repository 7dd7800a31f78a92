/* SPDX-License-Identifier: MIT */
/* main-nbd.c - the blkback-nbd program: blkback, with the image at an NBD server. */
#include "blkback.h"
#include "remote.h"

int main(int argc, char **argv)
{
    struct device_ops ops = blkback_ops;

    ops.sandbox = &sandbox_block_nbd;
    ops.link = blkback_link;
    image_remote = &nbd_remote;
    return device_main(&ops, argc, argv);
}
