/* The table of levels. build.mjs defines FB_WITH_<LEVEL> for each level that it compiled. */
#include "levels.h"

#include "cpu.h"

#define FB_TABLE(level) extern const fb_op fb_ops_##level[];
FB_TABLE(portable)
FB_TABLE(avx2)
FB_TABLE(avx512)
FB_TABLE(neon)

const fb_level fb_levels[] = {
    {"portable", "portable C", 4, fb_ops_portable, fb_cpu_portable},
#ifdef FB_WITH_AVX2
    {"avx2", "AVX2 + FMA", 8, fb_ops_avx2, fb_cpu_avx2},
#endif
#ifdef FB_WITH_AVX512
    {"avx512", "AVX-512", 16, fb_ops_avx512, fb_cpu_avx512},
    {"amx", "AVX-512 + AMX", 16, fb_ops_avx512, fb_cpu_amx},
#endif
#ifdef FB_WITH_NEON
    {"neon", "NEON", 4, fb_ops_neon, fb_cpu_neon},
#endif
};

const int fb_level_count = sizeof fb_levels / sizeof fb_levels[0];

#define FB_OP_ENTRY(op, buffers, sizes, reals) +1
const int fb_op_count = 0
#include "../ops/ops.def"
    ;
