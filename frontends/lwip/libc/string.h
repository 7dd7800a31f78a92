/* SPDX-License-Identifier: MIT */
/* lwIP includes it: what it uses of it is in front.h. */
#include <tenue-front/front.h>
