/* Counts of differing bits (binary_counts.h) by VPOPCNTDQ. */
#if defined(__AVX512VPOPCNTDQ__)
#define FB_COUNTS FB_NAME(fb_binary_counts_vpopcnt)
#include "binary_counts_body.h"
#endif
