/* Fast products with the dot-product extension of NEON: 16 products of bytes an instruction. */
#include "packed_fast.h"

#ifdef __ARM_FEATURE_DOTPROD
#define FB_DOTS FB_NAME(fb_packed_dots_dotprod)
#include "packed_dots.h"
#endif
