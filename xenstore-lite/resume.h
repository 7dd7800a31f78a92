/* SPDX-License-Identifier: MIT */
/*
 * From the journal of a store that died to a store that goes on; and back, when the journal is
 * written anew.
 */
#ifndef XSL_RESUME_H
#define XSL_RESUME_H

#include "conn.h"

/* How connections on sockets come back; NULL where there are none. */
struct resume_sockets {
    int (*restore)(const struct conn_state *state, const char *in);
    int (*received)(struct conn *conn, const char *bytes, size_t len);
};

/*
 * Makes the state that the journal tells of, in a store that was just made empty: root, domains,
 * nothing else. Rings have neither page nor port yet. 0 or -errno, when nothing can be relied on.
 */
int resume_state(const struct resume_sockets *sockets);

/* Pages and ports of the rings; a ring that is gone ends, its domain's end is noticed later. */
void resume_rings(void);

/* Notes for all that there is, into a journal that begins anew. */
void resume_write_all(void);

#endif
