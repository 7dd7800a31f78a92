/* SPDX-License-Identifier: MIT */
/* The journal's word for a commit that adopts a transaction's tree: what differs. */
#ifndef XSL_DIFFERENCE_H
#define XSL_DIFFERENCE_H

#include "node.h"

/*
 * Notes what turns the tree was into the tree is, parents first; done again in that order, the
 * notes make is of was. What both share is not looked into, since it cannot differ.
 */
void difference_note(const struct node *was, const struct node *is);

#endif
