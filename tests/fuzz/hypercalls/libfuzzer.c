/* SPDX-License-Identifier: MIT */
/* The hypercall fuzzer for libFuzzer: the input's bytes are the choices. */
#include "drive.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    world_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    choose_from_bytes(data, size);
    run_sequence();
    return 0;
}
