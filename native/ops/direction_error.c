/*
 * errors[t] = ‖û - ŝ‖² of the directions of teacher and student rows, and with ŝ = s/‖s‖
 *
 *   dStudent = -2·scale · (û - ŝ·(û·ŝ)) / ‖s‖
 *
 * (OneBit, arXiv 2402.11295, section 3.4). In float64; norms are at least 1e-12. Bound by memory: a row is read
 * a few times, all but the first from the cache.
 */
#include <math.h>

#include "rms_norm.h"
#include "rows.h"

#define LEAST_NORM 1e-12

typedef struct {
  float *errors, *d_student;
  const float *teacher, *student;
  int64_t rows, columns;
  double scale;
} direction_call;

static void compare_row(const direction_call *call, int64_t row) {
  int64_t n = call->columns;
  const float *teacher = call->teacher + row * n, *student = call->student + row * n;
  double wanted = 1 / fmax(sqrt(sum_of_squares(teacher, n)), LEAST_NORM);
  double given = 1 / fmax(sqrt(sum_of_squares(student, n)), LEAST_NORM);
  vd to_target = vd_set1(wanted), to_direction = vd_set1(given), errors = vd_zero(), cosines = vd_zero();
  int64_t i = 0;
  for (; i + VD_WIDTH <= n; i += VD_WIDTH) {
    vd target = vd_mul(vd_load_f32(teacher + i), to_target), direction = vd_mul(vd_load_f32(student + i), to_direction);
    vd gap = vd_sub(target, direction);
    errors = vd_fma(errors, gap, gap);
    cosines = vd_fma(cosines, target, direction);
  }
  double error = vd_sum(errors), cosine = vd_sum(cosines);
  for (; i < n; i++) {
    double target = teacher[i] * wanted, direction = student[i] * given;
    error += (target - direction) * (target - direction);
    cosine += target * direction;
  }
  call->errors[row] = (float)error;
  if (!call->d_student) return;
  float *out = call->d_student + row * n;
  double factor = -2 * call->scale * given, pull = given * cosine;
  for (i = 0; i < n; i++) out[i] = (float)(factor * (teacher[i] * wanted - student[i] * pull));
}

static FB_BODY(direction_chunk) {
  const direction_call *call = context;
  int64_t rows = rows_per_chunk(call->columns), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) compare_row(call, row);
}

/* buffers: errors, dStudent or NULL, teacher, student; sizes: rows, columns; reals: scale */
FB_OP(direction_error) {
  direction_call call = {args->buffer[0], args->buffer[1], args->buffer[2], args->buffer[3],
                         args->size[0],   args->size[1],   args->real[0]};
  size_t bytes = (size_t)(call.rows * call.columns) * 4;
  FB_REQUIRE(args->bytes[0] == (size_t)call.rows * 4 && (!call.d_student || args->bytes[1] == bytes));
  FB_REQUIRE(args->bytes[2] == bytes && args->bytes[3] == bytes);
  fb_parallel(team, row_chunks(call.rows, call.columns), direction_chunk, &call);
  return NULL;
}
