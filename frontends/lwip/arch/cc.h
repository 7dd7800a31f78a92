/* SPDX-License-Identifier: MIT */
/* What lwIP asks of its compiler and its platform. */
#ifndef TENUE_LWIP_CC_H
#define TENUE_LWIP_CC_H

#include <tenue-front/front.h>

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_CTYPE_H 1
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_LIMITS_H 1
#define INT_MAX __INT_MAX__
#define UINT_MAX (__INT_MAX__ * 2U + 1U)
#define X8_F "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "lu"

/* Only for transaction numbers and first local ports: see front_lwip_random(). */
u32 front_lwip_random(void);
#define LWIP_RAND() front_lwip_random()
#define LWIP_PLATFORM_DIAG(x)                                                                      \
    do {                                                                                           \
        front_printf x;                                                                            \
    } while (0)
#define LWIP_PLATFORM_ASSERT(x) front_panic("lwIP: %s (%s:%d)", x, __FILE__, __LINE__)

#endif
