/* refit_groups against trials of every pair in float64: what it chooses has no larger error; odd arguments. */
#include <math.h>
#include <stdlib.h>

#include "../include/half.h"
#include "check.h"

enum { BLOCK = 64, GROUP = 16 };

typedef struct {
  int64_t rows, columns;
  int low, high, most, subtracts, levels, reach;
  double origin;
} shape;

/* Σ importance · (ŵ - w)² of a group by nearest codes. */
static double error_of(const shape *s, const float *w, const float *importance, double scale, double offset) {
  double sum = 0;
  for (int i = 0; i < GROUP; i++) {
    double steps = scale == 0 ? 0 : (w[i] - offset) / scale;
    double code = fmin(fmax(nearbyint(steps - s->origin), 0), s->levels - 1);
    double value = scale * (s->origin + code) + offset;
    sum += importance[i] * (value - w[i]) * (value - w[i]);
  }
  return sum;
}

static void check_shape(fb_check *check, const shape *s) {
  int64_t rows = s->rows, n = s->columns, groups = rows * (n / GROUP), blocks = rows * (n / BLOCK);
  float *w = random_floats(check, rows * n), *importance = random_floats(check, n);
  float *scales = random_floats(check, groups), *offsets = random_floats(check, groups);
  uint16_t *units = take((size_t)blocks * 2), *offset_units = take((size_t)blocks * 2);
  int8_t *by = take((size_t)groups), *first_by = take((size_t)groups);
  uint8_t *shift = take((size_t)groups), *first_shift = take((size_t)groups);
  for (int64_t i = 0; i < n; i++) importance[i] = fabsf(importance[i]);
  for (int64_t i = 0; i < blocks; i++) {
    units[i] = fb_to_f16((float)(0.3 * (random_unit(check) - 0.2) / s->levels));
    offset_units[i] = fb_to_f16((float)(0.3 * random_unit(check)));
  }
  for (int64_t g = 0; g < groups; g++) {
    first_by[g] = by[g] = (int8_t)(s->low + random_below(check, s->high - s->low + 1));
    first_shift[g] = shift[g] = (uint8_t)(s->most ? random_below(check, s->most + 1) : 0);
  }
  fb_args args = {.size = {rows, n, BLOCK, GROUP, 0, n, s->levels, 1, -s->low, s->high, s->most, s->subtracts, s->reach},
                  .real = {s->origin, 1}};
  set_buffer(&args, 0, scales, (size_t)groups * 4);
  if (s->most) set_buffer(&args, 1, offsets, (size_t)groups * 4);
  set_buffer(&args, 2, units, (size_t)blocks * 2);
  set_buffer(&args, 3, offset_units, (size_t)blocks * 2);
  set_buffer(&args, 4, by, (size_t)groups);
  set_buffer(&args, 5, shift, (size_t)groups);
  set_buffer(&args, 6, w, (size_t)(rows * n) * 4);
  set_buffer(&args, 7, importance, (size_t)n * 4);
  call_op(check, "refit_groups", &args);
  for (int64_t g = 0; g < groups; g++) {
    const float *x = w + g * GROUP, *m = importance + g * GROUP % n;
    double unit = fb_from_f16(units[g * GROUP / BLOCK]), sign = s->subtracts ? -1 : 1;
    double shift_unit = s->most ? sign * fb_from_f16(offset_units[g * GROUP / BLOCK]) : 0, least = INFINITY;
    for (int a = -s->reach; a <= s->reach; a++) {
      for (int b = -s->reach; b <= s->reach; b++) {
        double scale = unit * fmin(fmax(first_by[g] + a, s->low), s->high);
        least = fmin(least, error_of(s, x, m, scale, shift_unit * fmin(fmax(first_shift[g] + b, 0), s->most)));
      }
    }
    double found = error_of(s, x, m, unit * by[g], shift_unit * shift[g]);
    if (found > least * 1.0001 + 1e-9) fail_check(check, "group %d: error %g, not %g", (int)g, found, least);
    if (scales[g] != (float)(unit * by[g])) fail_check(check, "scale of group %d", (int)g);
    if (s->most && offsets[g] != (float)(shift_unit * shift[g])) fail_check(check, "offset of group %d", (int)g);
  }
  args.size[4] = 8;
  call_refused(check, "refit_groups", &args);
  void *parts[] = {w, importance, scales, offsets, units, offset_units, by, first_by, shift, first_shift};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) free(parts[i]);
}

void check_refit_groups(fb_check *check) {
  static const shape shapes[] = {
      {1, 64, 0, 15, 15, 1, 4, 2, 0},
      {19, 192, 0, 63, 63, 1, 16, 3, 0},
      {33, 128, -32, 31, 0, 0, 8, 4, -4},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_shape(check, &shapes[i]);
}
