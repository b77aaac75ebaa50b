/*
 * out = weights · x / √(Σx² + epsilon) over the last dimension, int32 to int32, in units of 2^-30: squares of x
 * rounded to 17 bits, I-BERT's integer root, an integer division a row. Bound by the multiplications.
 */
#include "integer_math.h"
#include "rows.h"

#define SQUARED_BITS 17
#define EPSILON_BITS 48
#define WEIGHT_BITS 22
#define WIDEST 32768

typedef struct {
  int32_t *out;
  const int32_t *x, *weights;
  int64_t rows, columns, epsilon;
} norm_call;

static int ceil_half(int value) { return value >= 0 ? (value + 1) / 2 : -(-value / 2); }

/* 2^30 / √(Σx² + epsilon); 0 where the root is 0. */
static fixed_factor reciprocal_root(const int32_t *x, int64_t columns, int64_t epsilon) {
  int64_t largest = 0;
  for (int64_t i = 0; i < columns; i++) {
    int64_t size = x[i] < 0 ? -(int64_t)x[i] : x[i];
    largest = size > largest ? size : largest;
  }
  int shift = largest == 0 ? -SQUARED_BITS : bit_length(largest) - SQUARED_BITS;
  int least = ceil_half(bit_length(epsilon) - EPSILON_BITS);
  if (shift < least) shift = least;
  int64_t sum = shift >= 0 ? epsilon >> (2 * shift) : epsilon * ((int64_t)1 << (-2 * shift));
  for (int64_t i = 0; i < columns; i++) {
    int64_t rounded = shift > 0 ? shift_right(x[i], shift) : x[i] * ((int64_t)1 << -shift);
    sum += rounded * rounded;
  }
  int64_t root = integer_sqrt(sum);
  if (root == 0) return (fixed_factor){0, 0};
  int length = bit_length(root);
  int64_t quotient = ((int64_t)1 << (length + 24)) / root, most = (1 << 25) - 1;
  if (quotient > most) quotient = most;
  return (fixed_factor){(int32_t)(quotient << 6), length + shift - 31};
}

static FB_BODY(norm_chunk) {
  const norm_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  (void)thread;
  for (int64_t row = chunk * rows; row < end; row++) {
    const int32_t *x = call->x + row * n;
    fixed_factor factor = reciprocal_root(x, n, call->epsilon);
    for (int64_t i = 0; i < n; i++) {
      int64_t unit = multiply_fixed_point(x[i], factor.multiplier, factor.shift);
      call->out[row * n + i] = (int32_t)shift_right(unit * call->weights[i], WEIGHT_BITS);
    }
  }
}

/* buffers: out, x, weights; sizes: rows, columns; reals: epsilon, an integer */
FB_OP(integer_norm) {
  norm_call call = {args->buffer[0], args->buffer[1], args->buffer[2],
                    args->size[0],   args->size[1],   (int64_t)args->real[0]};
  FB_REQUIRE(args->bytes[0] == (size_t)(call.rows * call.columns) * 4);
  FB_REQUIRE(args->bytes[1] == args->bytes[0] && args->bytes[2] == (size_t)call.columns * 4);
  FB_REQUIRE(call.columns <= WIDEST && call.epsilon >= 0 && call.epsilon <= (int64_t)1 << 52);
  fb_parallel(team, row_chunks(call.rows, call.columns), norm_chunk, &call);
  return NULL;
}
