/* Fast products of weights in blocks with the dot-product extension of NEON: 16 products of bytes an instruction. */
#include "packed_fast.h"

#ifdef __ARM_FEATURE_DOTPROD
#define FB_BLOCK_DOTS FB_NAME(fb_block_dots_dotprod)
#include "block_dots.h"
#endif
