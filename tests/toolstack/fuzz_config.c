/* SPDX-License-Identifier: MIT */
/* libFuzzer target: any bytes as a guest file give a config or a complaint. */
#include "../../toolstack/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct guest_config cfg;
    struct diag d = {0};

    if (config_parse("fuzz", (const char *)data, len, &cfg, &d) == 0)
        config_free(&cfg);
    else if (!d.text[0])
        abort();
    return 0;
}
