/* SPDX-License-Identifier: MIT */
/*
 * Guests' writes to the machine-to-physical table. The table holds what a frame's owner says, so
 * the owner may say anything (MM-16); what is checked is whose frame it is, and a reference keeps
 * it from changing hands between the check and the store.
 */
#include "m2p.h"

int m2p_update_for(const struct domain *owner, mfn_t m, uint64_t pfn)
{
    if (!page_get(m, owner))
        return -XEN_EINVAL;
    m2p_set(m, pfn);
    page_put(m);
    return 0;
}
