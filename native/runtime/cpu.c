/*
 * Levels are found by CPUID leaves 1 and 7, and by XGETBV for the register state that the operating
 * system saves. AMX tiles need a permission on top, which Linux gives per process.
 * Source of the bit numbers: Intel 64 and IA-32 Architectures Software Developer's Manual, CPUID.
 */
#include "cpu.h"

#include "../include/fewbit.h"

unsigned fb_cpu_portable(void) { return 1; }

#if defined(__x86_64__)

#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_TILE_DATA 18
#endif

#define STATE_AVX 0x6u
#define STATE_AVX512 0xe6u
#define STATE_TILES 0x60000u
#define ALL(word, bits) (((word) & (bits)) == (bits))
#define BIT(n) (1u << (n))

typedef struct {
  unsigned leaf1c, leaf7b, leaf7c, leaf7d, leaf71a, state;
} cpu;

static cpu read_cpu(void) {
  unsigned a, b, c, d;
  cpu found = {0};
  if (!__get_cpuid(1, &a, &b, &found.leaf1c, &d)) return found;
  if (found.leaf1c & BIT(27)) {
    unsigned high;
    __asm__ volatile("xgetbv" : "=a"(found.state), "=d"(high) : "c"(0));
  }
  if (__get_cpuid_count(7, 0, &a, &found.leaf7b, &found.leaf7c, &found.leaf7d) && a >= 1) {
    __get_cpuid_count(7, 1, &found.leaf71a, &b, &c, &d);
  }
  return found;
}

unsigned fb_cpu_avx2(void) {
  cpu has = read_cpu();
  unsigned leaf1 = BIT(12) | BIT(28) | BIT(29); /* FMA, AVX, F16C */
  if (!ALL(has.leaf1c, leaf1) || !ALL(has.state, STATE_AVX) || !ALL(has.leaf7b, BIT(5))) return 0;
  return 1 | (has.leaf71a & BIT(4) ? FB_HAS_AVX_VNNI << 1 : 0);
}

unsigned fb_cpu_avx512(void) {
  cpu has = read_cpu();
  unsigned leaf7 = BIT(16) | BIT(17) | BIT(30) | BIT(31); /* F, DQ, BW, VL */
  if (!fb_cpu_avx2() || !ALL(has.state, STATE_AVX512) || !ALL(has.leaf7b, leaf7)) return 0;
  unsigned features = 0;
  if (has.leaf7c & BIT(11)) features |= FB_HAS_AVX512_VNNI;
  if (has.leaf7c & BIT(14)) features |= FB_HAS_AVX512_POPCNT; /* VPOPCNTDQ */
  if (has.leaf71a & BIT(5)) features |= FB_HAS_AVX512_BF16;
  return 1 | features << 1;
}

unsigned fb_cpu_amx(void) {
#if defined(__linux__)
  cpu has = read_cpu();
  unsigned base = fb_cpu_avx512();
  unsigned wanted = FB_HAS_AVX512_VNNI | FB_HAS_AVX512_BF16;
  if (!ALL(base >> 1, wanted) || !ALL(has.leaf7d, BIT(22) | BIT(24))) return 0; /* AMX-BF16, tiles */
  if (!ALL(has.state, STATE_TILES)) return 0;
  if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_TILE_DATA)) return 0;
  if (has.leaf7d & BIT(25)) base |= FB_HAS_AMX_INT8 << 1;
  return base | FB_HAS_AMX_BF16 << 1;
#else
  return 0;
#endif
}

unsigned fb_cpu_neon(void) { return 0; }

#else

unsigned fb_cpu_avx2(void) { return 0; }
unsigned fb_cpu_avx512(void) { return 0; }
unsigned fb_cpu_amx(void) { return 0; }

#if defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
#define HWCAP_DOT_PRODUCT (1UL << 20)
unsigned fb_cpu_neon(void) {
  return 1 | (getauxval(AT_HWCAP) & HWCAP_DOT_PRODUCT ? FB_HAS_DOTPROD << 1 : 0);
}
#elif defined(__APPLE__)
unsigned fb_cpu_neon(void) { return 1 | FB_HAS_DOTPROD << 1; }
#else
unsigned fb_cpu_neon(void) { return 1; }
#endif
#else
unsigned fb_cpu_neon(void) { return 0; }
#endif

#endif
