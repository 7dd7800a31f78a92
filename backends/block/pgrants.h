/* SPDX-License-Identifier: MIT */
/*
 * pgrants.h - persistent grants: the guest's data pages that stay mapped for the whole connection.
 *
 * A guest that agreed to feature-persistent uses the same few pages for all its I/O; mapping one
 * costs a hypercall and a page-table change, looking it up costs a hash. What does not fit goes by
 * grant copy.
 */
#ifndef BACKENDS_BLOCK_PGRANTS_H
#define BACKENDS_BLOCK_PGRANTS_H

#include <stdint.h>

#include "../common/gntdev.h"

#define PGRANTS_MAX 2048u /* pages mapped at most, for any ring size (BE-5) */

struct pgrants;

struct pgrants *pgrants_new(struct gntdev *g);
/* Unmap everything. */
void pgrants_free(struct pgrants *pg);

/*
 * Find or map each of refs[0..count), into addr[]: NULL where the page is not mapped (cap reached,
 * or the grant refused to be mapped writable). count <= 256.
 */
void pgrants_get(struct pgrants *pg, const uint32_t *refs, unsigned count, void **addr);

/* Pages mapped now. */
unsigned pgrants_count(const struct pgrants *pg);

#endif
