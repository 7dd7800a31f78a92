/* SPDX-License-Identifier: MIT */
/* Is what the books say of each domain what there is? */
#ifndef XSL_AUDIT_H
#define XSL_AUDIT_H

/*
 * Recounts everything from scratch and compares (XS-5).  Returns the number of differences, each of
 * which is logged.
 */
unsigned int audit_books(void);

#endif
