/* search_blocks: Q8_0 against its formula; what Q4_K and Q3_K choose is near the weights; odd arguments. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "../include/half.h"

enum { Q8_0 = 4, Q3_K = 6, Q4_K = 7, FORMATS = 14 };

typedef struct {
  uint8_t *codes, *sub_offsets;
  uint16_t *scales, *offsets;
  int8_t *sub_scales;
  float *weight, *importance;
  int64_t rows, columns;
} blocks;

static blocks make_blocks(fb_check *check, int64_t rows, int64_t columns) {
  size_t n = (size_t)(rows * columns);
  blocks b = {take(n), take(n), take(n), take(n), take(n), random_floats(check, rows * columns),
              random_floats(check, columns), rows, columns};
  for (int64_t i = 0; i < columns; i++) b.importance[i] = fabsf(b.importance[i]);
  return b;
}

static void free_blocks(blocks b) {
  void *parts[] = {b.codes, b.sub_offsets, b.scales, b.offsets, b.sub_scales, b.weight, b.importance};
  for (int i = 0; i < 7; i++) free(parts[i]);
}

static fb_args arguments(blocks b, int format, int64_t block, int64_t group, int important) {
  size_t n = (size_t)(b.rows * b.columns), of_blocks = n / (size_t)block, groups = n / (size_t)group;
  fb_args args = {.size = {b.rows, b.columns, format, 0, b.columns}};
  set_buffer(&args, 0, b.codes, n);
  set_buffer(&args, 1, b.scales, of_blocks * 2);
  set_buffer(&args, 2, b.offsets, of_blocks * 2);
  set_buffer(&args, 3, b.sub_scales, groups);
  set_buffer(&args, 4, b.sub_offsets, groups);
  set_buffer(&args, 5, b.weight, n * 4);
  if (important) set_buffer(&args, 6, b.importance, (size_t)b.columns * 4);
  return args;
}

static void check_bytes(fb_check *check) {
  blocks b = make_blocks(check, 3, 96);
  fb_args args = arguments(b, Q8_0, 32, 32, 0);
  call_op(check, "search_blocks", &args);
  for (int64_t i = 0; i < 3 * 96; i++) {
    float peak = 0;
    for (int64_t j = i / 32 * 32; j < i / 32 * 32 + 32; j++) peak = fmaxf(peak, fabsf(b.weight[j]));
    int expected = (int)roundf(b.weight[i] * (1 / (peak / 127))) + 128;
    if (b.codes[i] != expected) fail_check(check, "Q8_0: code %d, expected %d", b.codes[i], expected);
  }
  args.size[2] = FORMATS;
  call_refused(check, "search_blocks", &args);
  args = arguments(b, Q8_0, 32, 32, 0);
  args.size[3] = 16;
  call_refused(check, "search_blocks", &args);
  free_blocks(b);
}

/* The decoded weights are at most `worst` off; weights lie in [-1, 1). */
static void check_near(fb_check *check, int format, int64_t group, int important, double worst) {
  blocks b = make_blocks(check, 5, 768);
  fb_args args = arguments(b, format, 256, group, important);
  call_op(check, "search_blocks", &args);
  for (int64_t i = 0; i < b.rows * b.columns; i++) {
    double scale = (double)fb_from_f16(b.scales[i / 256]) * b.sub_scales[i / group];
    double offset = (double)fb_from_f16(b.offsets[i / 256]) * b.sub_offsets[i / group];
    double value = format == Q4_K ? scale * b.codes[i] - offset : scale * (b.codes[i] - 4);
    if (!(fabs(value - b.weight[i]) <= worst)) {
      fail_check(check, "format %d: %g for %g", format, value, (double)b.weight[i]);
      break;
    }
  }
  free_blocks(b);
}

void check_search_blocks(fb_check *check) {
  check_bytes(check);
  for (int important = 0; important < 2; important++) {
    check_near(check, Q4_K, 32, important, 0.2);
    check_near(check, Q3_K, 16, important, 0.4);
  }
}
