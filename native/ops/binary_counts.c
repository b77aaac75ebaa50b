/* Counts of differing bits (binary_counts.h) with the instructions of the level. */
#define FB_COUNTS FB_NAME(fb_binary_counts)
#include "binary_counts_body.h"
