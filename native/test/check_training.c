/* The optimizer, sums over tensors, and gradients of elementwise and row ops, against their formulas. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void set_floats(fb_args *args, int i, const float *x, int64_t n) { set_buffer(args, i, x, (size_t)n * 4); }

static void check_adamw(fb_check *check, int64_t n) {
  float *w = random_floats(check, n), *m = random_floats(check, n), *v = random_floats(check, n);
  float *g = random_floats(check, n);
  double *expected = take((size_t)n * 8), *moments = take((size_t)n * 8);
  for (int64_t i = 0; i < n; i++) {
    double slope = 0.5 * g[i];
    v[i] = v[i] * v[i];
    moments[i] = 0.9 * m[i] + 0.1 * slope;
    double spread = sqrt((0.95 * v[i] + 0.05 * slope * slope) / (1 - pow(0.95, 3))) + 1e-8;
    expected[i] = w[i] * (1 - 0.01 * 0.1) - 0.01 * moments[i] / (1 - pow(0.9, 3)) / spread;
  }
  fb_args args = {.size = {n, 3, 0}, .real = {0.01, 0.9, 0.95, 1e-8, 0.1, 0.5}};
  set_floats(&args, 0, w, n);
  set_floats(&args, 1, m, n);
  set_floats(&args, 2, v, n);
  set_floats(&args, 3, g, n);
  call_op(check, "adamw", &args);
  expect_floats(check, "adamw weights", w, expected, n, 1e-6, 1e-6);
  expect_floats(check, "adamw first moments", m, moments, n, 2e-7, 1e-6);
  args.size[1] = 0;
  call_refused(check, "adamw", &args);
  args.size[1] = 3;
  args.size[2] = 2; /* bfloat16, with buffers of float32 */
  call_refused(check, "adamw", &args);
  free(w);
  free(m);
  free(v);
  free(g);
  free(expected);
  free(moments);
}

static void check_sums(fb_check *check, int64_t n) {
  float *a = random_floats(check, n), *b = random_floats(check, n);
  double *expected = take((size_t)n * 8), sum = 2, squares = 2, total = 5, errors = 0;
  for (int64_t i = 0; i < n; i++) {
    squares += (double)a[i] * a[i];
    errors += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    expected[i] = 0.25 * ((double)a[i] - b[i]);
  }
  fb_args args = {.size = {n, 1}, .real = {0.25}};
  set_buffer(&args, 0, &sum, 8);
  set_floats(&args, 1, a, n);
  call_op(check, "sum_squares", &args);
  expect_doubles(check, "sum_squares", &sum, &squares, 1, 0, 1e-12);
  set_buffer(&args, 0, &total, 8);
  set_floats(&args, 2, a, n);
  set_floats(&args, 3, b, n);
  call_op(check, "squared_error", &args);
  expect_doubles(check, "squared_error", &total, &errors, 1, 0, 1e-12);
  expect_floats(check, "squared_error, in place", a, expected, n, 1e-8, 1e-6);
  args.size[0] = n + 1;
  call_refused(check, "squared_error", &args);
  free(a);
  free(b);
  free(expected);
}

static void check_weighted_errors(fb_check *check, int64_t rows, int64_t columns) {
  int64_t n = rows * columns;
  float *a = random_floats(check, n), *b = random_floats(check, n), *weights = random_floats(check, rows);
  float *difference = random_floats(check, n);
  double *expected = take((size_t)n * 8), total = 5, errors = 0;
  for (int64_t i = 0; i < n; i++) {
    double error = (double)a[i] - b[i];
    errors += weights[i / columns] * error * error;
    expected[i] = 0.25 * weights[i / columns] * error;
  }
  fb_args args = {.size = {rows, columns}, .real = {0.25}};
  set_buffer(&args, 0, &total, 8);
  set_floats(&args, 1, difference, n);
  set_floats(&args, 2, a, n);
  set_floats(&args, 3, b, n);
  set_floats(&args, 4, weights, rows);
  call_op(check, "squared_error", &args);
  expect_doubles(check, "weighted squared_error", &total, &errors, 1, 1e-12, 1e-9);
  expect_floats(check, "weighted squared_error", difference, expected, n, 1e-8, 1e-6);
  set_floats(&args, 4, weights, rows - 1);
  call_refused(check, "squared_error", &args);
  free(a);
  free(b);
  free(weights);
  free(difference);
  free(expected);
}

static void check_activations(fb_check *check, int64_t n) {
  float *d_out = random_floats(check, n), *gate = random_floats(check, n), *up = random_floats(check, n);
  float *d_gate = random_floats(check, n), *slopes = random_floats(check, n);
  double *gates = take((size_t)n * 8), *ups = take((size_t)n * 8), *exact = take((size_t)n * 8);
  for (int64_t i = 0; i < n; i++) {
    gate[i] *= 6;
    double x = gate[i], share = 1 / (1 + exp(-x));
    gates[i] = d_out[i] * up[i] * share * (1 + x * (1 - share));
    ups[i] = d_out[i] * x * share;
    exact[i] = d_out[i] * (0.5 * erfc(-x * sqrt(0.5)) + x * exp(-x * x / 2) / sqrt(2 * acos(-1)));
  }
  fb_args args = {.size = {n, 0}};
  set_floats(&args, 0, slopes, n);
  set_floats(&args, 1, d_out, n);
  set_floats(&args, 2, gate, n);
  call_op(check, "gelu_backward", &args);
  expect_floats(check, "gelu_backward", slopes, exact, n, 1e-6, 1e-6);
  for (int64_t i = 0; i < n; i++) exact[i] = gate[i] > 0 ? d_out[i] : 0;
  call_op(check, "relu_backward", &args);
  expect_floats(check, "relu_backward", slopes, exact, n, 0, 0);
  for (int64_t i = 0; i < n; i++) exact[i] = d_out[i] * (1 - pow(gate[i] / 9.0, 2));
  args.real[0] = 9;
  call_op(check, "soft_cap_backward", &args);
  expect_floats(check, "soft_cap_backward", slopes, exact, n, 1e-7, 1e-6);
  set_floats(&args, 0, d_gate, n);
  set_floats(&args, 1, d_out, n);
  set_floats(&args, 2, d_out, n);
  set_floats(&args, 3, gate, n);
  set_floats(&args, 4, up, n);
  call_op(check, "swiglu_backward", &args);
  expect_floats(check, "swiglu_backward by gate", d_gate, gates, n, 1e-6, 1e-6);
  expect_floats(check, "swiglu_backward by up, in place", d_out, ups, n, 1e-6, 1e-6);
  args.size[0] = n + 1;
  call_refused(check, "swiglu_backward", &args);
  call_refused(check, "gelu_backward", &args);
  call_refused(check, "relu_backward", &args);
  call_refused(check, "soft_cap_backward", &args);
  free(d_out);
  free(gate);
  free(up);
  free(d_gate);
  free(slopes);
  free(gates);
  free(ups);
  free(exact);
}

/* Gradients of a norm in float64; without `center` the mean is taken as 0. */
static void back_norm(int64_t rows, int64_t n, int center, const float *d_out, const float *x, const float *weight,
                      double *d_x, double *d_weight) {
  for (int64_t i = 0; i < n; i++) d_weight[i] = 0;
  for (int64_t r = 0; r < rows; r++) {
    const float *row = x + r * n, *g = d_out + r * n;
    double mean = 0, squares = 0, slope = 0, dot = 0;
    for (int64_t i = 0; center && i < n; i++) mean += row[i] / (double)n;
    for (int64_t i = 0; i < n; i++) squares += (row[i] - mean) * (row[i] - mean) / (double)n;
    double factor = 1 / sqrt(squares + 1e-5);
    for (int64_t i = 0; i < n; i++) {
      double normal = (row[i] - mean) * factor;
      slope += (double)g[i] * weight[i] / (double)n;
      dot += g[i] * weight[i] * normal / (double)n;
      d_weight[i] += g[i] * normal;
    }
    for (int64_t i = 0; i < n; i++) {
      double normal = (row[i] - mean) * factor;
      d_x[r * n + i] = factor * ((double)g[i] * weight[i] - (center ? slope : 0) - normal * dot);
    }
  }
}

static void check_norms(fb_check *check, int64_t rows, int64_t n) {
  int64_t count = rows * n;
  float *d_out = random_floats(check, count), *x = random_floats(check, count), *weight = random_floats(check, n);
  float *d_x = random_floats(check, count), *d_weight = random_floats(check, n), *d_bias = random_floats(check, n);
  double *expected = take((size_t)count * 8), *sums = take((size_t)n * 8);
  fb_args args = {.size = {rows, n}, .real = {1e-5}};
  set_floats(&args, 0, d_x, count);
  set_floats(&args, 1, d_weight, n);
  set_floats(&args, 2, d_out, count);
  set_floats(&args, 3, x, count);
  set_floats(&args, 4, weight, n);
  back_norm(rows, n, 0, d_out, x, weight, expected, sums);
  call_op(check, "rms_norm_backward", &args);
  expect_floats(check, "rms_norm_backward", d_x, expected, count, 4e-6, 2e-6);
  expect_floats(check, "rms_norm_backward by weight", d_weight, sums, n, 4e-6, 2e-6);
  set_floats(&args, 2, d_bias, n);
  set_floats(&args, 3, d_out, count);
  set_floats(&args, 4, x, count);
  set_floats(&args, 5, weight, n);
  back_norm(rows, n, 1, d_out, x, weight, expected, sums);
  call_op(check, "layer_norm_backward", &args);
  if (n > 1) expect_floats(check, "layer_norm_backward", d_x, expected, count, 2e-5, 5e-6);
  expect_floats(check, "layer_norm_backward by weight", d_weight, sums, n, 2e-5, 5e-6);
  for (int64_t i = 0; i < n; i++) {
    sums[i] = 0;
    for (int64_t r = 0; r < rows; r++) sums[i] += d_out[r * n + i];
  }
  expect_floats(check, "layer_norm_backward by bias", d_bias, sums, n, 4e-6, 2e-6);
  set_floats(&args, 0, d_bias, n);
  set_floats(&args, 1, d_out, count);
  call_op(check, "column_sums", &args);
  expect_floats(check, "column_sums", d_bias, sums, n, 0, 1e-7);
  args.size[0] = rows + 1;
  call_refused(check, "column_sums", &args);
  call_refused(check, "layer_norm_backward", &args);
  free(d_out);
  free(x);
  free(weight);
  free(d_x);
  free(d_weight);
  free(d_bias);
  free(expected);
  free(sums);
}

static double log_sum(const float *x, int64_t n) {
  double top = x[0], sum = 0;
  for (int64_t i = 1; i < n; i++) {
    if (x[i] > top) top = x[i];
  }
  for (int64_t i = 0; i < n; i++) sum += exp(x[i] - top);
  return top + log(sum);
}

static double dot_rows(const float *a, const float *b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
  return sum;
}

static void check_losses(fb_check *check, int64_t rows, int64_t n) {
  int64_t count = rows * n;
  float *logits = random_floats(check, count), *teacher = random_floats(check, count);
  float *out = random_floats(check, count), *y = random_floats(check, count);
  int32_t *targets = take((size_t)rows * 4);
  double *entropy = take((size_t)count * 8), *divergence = take((size_t)count * 8), *soft = take((size_t)count * 8);
  for (int64_t r = 0; r < rows; r++) {
    const float *p = logits + r * n, *q = teacher + r * n;
    double sum = log_sum(p, n), wanted = log_sum(q, n), dot = dot_rows(p, y + r * n, n);
    targets[r] = (int32_t)(r % 3 == 2 ? -1 : random_below(check, n));
    for (int64_t i = 0; i < n; i++) {
      entropy[r * n + i] = targets[r] < 0 ? 0 : 0.5 * exp(p[i] - sum);
      divergence[r * n + i] = 0.5 * (exp(p[i] - sum) - exp(q[i] - wanted));
      soft[r * n + i] = y[r * n + i] * (p[i] - dot);
    }
    if (targets[r] >= 0) entropy[r * n + targets[r]] -= 0.5;
  }
  fb_args args = {.size = {rows, n}, .real = {0.5}};
  set_floats(&args, 0, out, count);
  set_floats(&args, 1, logits, count);
  set_floats(&args, 2, y, count);
  call_op(check, "softmax_backward", &args);
  expect_floats(check, "softmax_backward", out, soft, count, 2e-5, 1e-6);
  set_floats(&args, 1, teacher, count);
  set_floats(&args, 2, logits, count);
  call_op(check, "kl_divergence_backward", &args);
  expect_floats(check, "kl_divergence_backward", out, divergence, count, 3e-7, 1e-6);
  set_floats(&args, 0, logits, count);
  set_floats(&args, 1, logits, count);
  set_buffer(&args, 2, targets, (size_t)rows * 4);
  call_op(check, "cross_entropy_backward", &args);
  expect_floats(check, "cross_entropy_backward, in place", logits, entropy, count, 1e-7, 1e-6);
  targets[rows - 1] = (int32_t)n;
  call_refused(check, "cross_entropy_backward", &args);
  free(logits);
  free(teacher);
  free(out);
  free(y);
  free(targets);
  free(entropy);
  free(divergence);
  free(soft);
}

static void check_embedding(fb_check *check, int64_t width) {
  enum { TOKENS = 9, VOCABULARY = 5 };
  float *d_out = random_floats(check, TOKENS * width), *table = random_floats(check, VOCABULARY * width);
  int32_t *ids = take(TOKENS * 4);
  double *expected = take((size_t)(VOCABULARY * width) * 8);
  for (int64_t i = 0; i < VOCABULARY * width; i++) expected[i] = 0;
  for (int64_t t = 0; t < TOKENS; t++) {
    ids[t] = (int32_t)(t == 0 ? 4 : t * t % 4); /* row 4 once, rows 2 and 3 never */
    for (int64_t i = 0; i < width; i++) expected[ids[t] * width + i] += d_out[t * width + i];
  }
  fb_args args = {.size = {TOKENS, width, VOCABULARY}};
  set_floats(&args, 0, table, VOCABULARY * width);
  set_floats(&args, 1, d_out, TOKENS * width);
  set_buffer(&args, 2, ids, TOKENS * 4);
  call_op(check, "embedding_backward", &args);
  expect_floats(check, "embedding_backward", table, expected, VOCABULARY * width, 1e-7, 1e-7);
  args.size[3] = 1; /* adds: what was written is there twice */
  for (int64_t i = 0; i < VOCABULARY * width; i++) expected[i] *= 2;
  call_op(check, "embedding_backward", &args);
  expect_floats(check, "embedding_backward, added", table, expected, VOCABULARY * width, 2e-7, 2e-7);
  ids[3] = VOCABULARY;
  call_refused(check, "embedding_backward", &args);
  free(d_out);
  free(table);
  free(ids);
  free(expected);
}

static void check_directions(fb_check *check, int64_t rows, int64_t n) {
  int64_t count = rows * n;
  float *teacher = random_floats(check, count), *student = random_floats(check, count);
  float *errors = random_floats(check, rows), *out = random_floats(check, count);
  double *expected = take((size_t)rows * 8), *slopes = take((size_t)count * 8);
  for (int64_t r = 0; r < rows; r++) {
    const float *a = teacher + r * n, *b = student + r * n;
    double wanted = 0, norm = 0, cosine = 0;
    for (int64_t i = 0; i < n; i++) wanted += (double)a[i] * a[i], norm += (double)b[i] * b[i];
    wanted = sqrt(wanted), norm = sqrt(norm), expected[r] = 0;
    for (int64_t i = 0; i < n; i++) cosine += a[i] / wanted * (b[i] / norm);
    for (int64_t i = 0; i < n; i++) {
      expected[r] += pow(a[i] / wanted - b[i] / norm, 2);
      slopes[r * n + i] = -2 * 3 / norm * (a[i] / wanted - b[i] / norm * cosine);
    }
  }
  fb_args args = {.size = {rows, n}, .real = {3}};
  set_floats(&args, 0, errors, rows);
  set_floats(&args, 1, out, count);
  set_floats(&args, 2, teacher, count);
  set_floats(&args, 3, student, count);
  call_op(check, "direction_error", &args);
  expect_floats(check, "direction_error", errors, expected, rows, 1e-12, 1e-6);
  expect_floats(check, "direction_error by student", out, slopes, count, 1e-7, 1e-6);
  args.size[1] = n + 1;
  call_refused(check, "direction_error", &args);
  free(teacher);
  free(student);
  free(errors);
  free(out);
  free(expected);
  free(slopes);
}

void check_training(fb_check *check) {
  static const int64_t counts[] = {1, 37, 40003};
  static const int64_t shapes[][2] = {{1, 1}, {3, 7}, {2, 172}, {70, 352}, {1, 4100}, {2, 20003}};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    check_adamw(check, counts[i]);
    check_sums(check, counts[i]);
    check_weighted_errors(check, 1 + counts[i] / 7, 7);
    check_activations(check, counts[i]);
  }
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    check_norms(check, shapes[i][0], shapes[i][1]);
    check_losses(check, shapes[i][0], shapes[i][1]);
    check_directions(check, shapes[i][0], shapes[i][1]);
  }
  check_embedding(check, 1);
  check_embedding(check, 37);
}
