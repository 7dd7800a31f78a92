/* SPDX-License-Identifier: MIT */
/*
 * What a guest operating system supplies so that core/ runs in it: a dozen names and nothing else,
 * the seven functions below and five that other headers declare. The SDK carries all of them for
 * its own small guests (x86/port.c, start.c); tests/frontends/port holds core/ to this list.
 *
 *   front_si          the start info page (front.h)
 *   front_shared      the shared info page, mapped (front.h)
 *   front_vcpu_info() where a vCPU's part of it is (front.h)
 *   front_vcpu_id()   the vCPU that this runs on (x86.h)
 *   front_panic()     the end, for what must not be (front.h)
 *
 * Who has event channels and grants of its own leaves evtchn.c and grant.c out and supplies what
 * they define instead. Drivers call these functions from ordinary context, never from an upcall.
 */
#ifndef TENUE_FRONT_PORT_H
#define TENUE_FRONT_PORT_H

#include <tenue-front/types.h>

/* One zeroed page, page aligned, whose contents no other domain can see; NULL when there is none.
 */
void *front_port_page_get(void);
void front_port_page_put(void *page);
/* The machine frame behind a page, to be granted or put into a ring message. */
u64 front_port_page_mfn(const void *page);
/* Make a machine frame that this domain may map readable and writable at an address of the
 * port's choice; NULL when it cannot. */
void *front_port_map(u64 mfn);
/* More memory for the heap: zeroed or not, at the end of what this gave before, so that all of it
 * is one piece. `bytes` is a multiple of a page; NULL when there is none. */
void *front_port_more(size_t bytes);
/* Called with event delivery disabled, after the caller saw that what it waits for has not come:
 * sleep until some event is delivered or the deadline passes (ns, as front_port_now() counts).
 * Returns with delivery enabled. */
void front_port_sleep(u64 deadline_ns);
u64 front_port_now(void);

#endif
