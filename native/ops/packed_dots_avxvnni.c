/* Fast products with AVX-VNNI: 32 products of bytes an instruction. */
#include "packed_fast.h"

#ifdef __AVXVNNI__
#define FB_DOTS FB_NAME(fb_packed_dots_avxvnni)
#include "packed_dots.h"
#endif
