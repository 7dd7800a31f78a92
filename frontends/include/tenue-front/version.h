/* SPDX-License-Identifier: MIT */
/*
 * The SDK's version: the major number changes when a guest that compiled and worked no longer does,
 * the minor one when something is added, the last one when something is mended. What front.h,
 * port.h, lwip.h and x86.h declare counts; files in core/ and x86/ do not.
 */
#ifndef TENUE_FRONT_VERSION_H
#define TENUE_FRONT_VERSION_H

#define FRONT_VERSION "1.0.0"
#define FRONT_VERSION_NUMBER 10000 /* major * 10000 + minor * 100 + patch */

/* The library's own, which an image may be linked with long after it was compiled. */
int front_version(void);

#endif
