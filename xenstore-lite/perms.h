/* SPDX-License-Identifier: MIT */
/*
 * Permission lists: who may read, write and own a node.
 *
 * A list is what the wire calls it: the first entry names the owner, and its mode is what everybody
 * not named later gets; the following entries name single domains.  Lists are immutable and
 * counted, because most nodes share the list of their parent: "changing" one makes a new list.
 */
#ifndef XSL_PERMS_H
#define XSL_PERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an entry grants, and what perms_access() answers. */
#define ACCESS_NONE 0u
#define ACCESS_READ 1u
#define ACCESS_WRITE 2u
#define ACCESS_OWNER 4u
#define ACCESS_ALL (ACCESS_READ | ACCESS_WRITE | ACCESS_OWNER)

/* Highest domain id that may appear in a list (Xen keeps 0x7ff0 and up for itself). */
#define DOMID_LIMIT 0x7ff0u

struct perm {
    uint16_t domid;
    uint8_t mode; /* ACCESS_READ | ACCESS_WRITE */
};

struct perms {
    uint32_t ref;
    uint32_t count; /* at least 1 */
    struct perm entry[];
};

/* A list of count entries, all zero, one reference; NULL if there is no memory. */
struct perms *perms_new(uint32_t count);
struct perms *perms_ref(struct perms *p);
void perms_unref(struct perms *p);

/*
 * What domid may do.  target is the domain on whose behalf domid may also act (SET_TARGET), or -1.
 * The control domain's own authority is the caller's business, not this function's.
 */
unsigned int perms_access(const struct perms *p, uint16_t domid, int target);

/* Wire form ("n0\0r1\0") to a list: 0, -EINVAL or -ENOMEM. */
int perms_parse(const char *text, size_t len, struct perms **out);

/* List to wire form; returns its length, or 0 if cap is too small. */
size_t perms_format(const struct perms *p, char *text, size_t cap);

/* True if an entry other than the first names domid. */
bool perms_mentions(const struct perms *p, uint16_t domid);

/* A copy owned by another domain; a copy without the later entries of a domain. */
struct perms *perms_with_owner(struct perms *p, uint16_t domid);
struct perms *perms_without(const struct perms *p, uint16_t domid);

#endif
