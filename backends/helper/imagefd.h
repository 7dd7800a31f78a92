/* SPDX-License-Identifier: MIT */
/* imagefd.h - what the host and the library within the helper agree upon; see imagefd.c. */
#ifndef BACKENDS_HELPER_IMAGEFD_H
#define BACKENDS_HELPER_IMAGEFD_H

#define IMAGEFD_PATH "/tenue/image/"
#define IMAGEFD_LISTEN 3 /* the socket it serves at */
#define IMAGEFD_FIRST 4  /* descriptor of image 0 */
#define IMAGEFD_MAX 8

#endif
