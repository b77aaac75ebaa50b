/*
 * dStudent = scale · (softmax(student) - softmax(teacher)). The powers of the teacher are made twice, for their sum and
 * for the difference, so that no memory is needed for them. Bound by compute: three e^x a token of the
 * vocabulary. dStudent may be student.
 */
#include "rows.h"
#include "softmax.h"

typedef struct {
  float *d_student;
  const float *teacher, *student;
  int64_t rows, columns;
  double scale;
} divergence_call;

/* Σ e^(x - top). */
static double sum_powers(const float *x, float top, int64_t n) {
  float block[EXP_BLOCK];
  double sum = 0;
  for (int64_t i = 0; i < n; i += EXP_BLOCK) sum += exponentiate(block, x + i, top, fb_min(EXP_BLOCK, n - i));
  return sum;
}

static void back_row(float *out, const float *teacher, const float *student, int64_t n, double scale) {
  float top = row_maximum(teacher, n), block[EXP_BLOCK];
  float wanted = (float)(scale / sum_powers(teacher, top, n));
  float given = (float)(scale / exponentiate(out, student, row_maximum(student, n), n));
  for (int64_t start = 0; start < n; start += EXP_BLOCK) {
    int64_t count = fb_min(EXP_BLOCK, n - start);
    exponentiate(block, teacher + start, top, count);
    for (int64_t i = 0; i < count; i++) out[start + i] = out[start + i] * given - block[i] * wanted;
  }
}

static FB_BODY(divergence_chunk) {
  const divergence_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    back_row(call->d_student + row * n, call->teacher + row * n, call->student + row * n, n, call->scale);
  }
}

/* buffers: dStudent, teacher, student; sizes: rows, vocabulary; reals: scale */
FB_OP(kl_divergence_backward) {
  divergence_call call = {args->buffer[0], args->buffer[1], args->buffer[2],
                          args->size[0],   args->size[1],   args->real[0]};
  for (int i = 0; i < 3; i++) FB_REQUIRE(args->bytes[i] == (size_t)(call.rows * call.columns) * 4);
  fb_parallel(team, row_chunks(call.rows, call.columns), divergence_chunk, &call);
  return NULL;
}
