/* Fast products with AVX-512-VNNI: 64 products of bytes an instruction. */
#include "packed_fast.h"

#ifdef __AVX512VNNI__
#define FB_DOTS FB_NAME(fb_packed_dots_vnni)
#include "packed_dots.h"
#endif
