/* SPDX-License-Identifier: MIT */
/* hvmem LABEL: one line with the hypervisor's memory, in pages. */
#include <inttypes.h>

#include "bench.h"
#include "hvinfo.h"

int main(int argc, char **argv)
{
    struct hvinfo info;

    if (hvinfo_read(&info))
        die("hvmem");
    printf("MEM %s total %" PRIu64 " free %" PRIu64 " domains %u owning %" PRIu64 "\n",
           argc > 1 ? argv[1] : "now", info.total_pages, info.free_pages, info.domains,
           info.domain_pages);
    return 0;
}
