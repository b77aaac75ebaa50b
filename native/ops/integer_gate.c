/*
 * codes = act(gate) · up rounded to 8 bits, int32 in: by a fixed factor, or each row by its largest magnitude, which
 * is then written as a multiplier and a shift. Inputs are below 2^26, products below 2^53. Bound by the divisions.
 */
#include "integer_math.h"
#include "rows.h"

#define LARGEST_BITS 31

typedef struct {
  uint8_t *codes;
  int32_t *factors; /* or NULL: fixed */
  const int32_t *gate, *up;
  int64_t rows, columns;
  int is_gelu;
  fixed_factor input, fixed;
  int bits;
  int32_t zero_point;
  fb_team *team;
} gate_call;

static int64_t gated(const gate_call *call, int64_t at) {
  int64_t x = multiply_fixed_point(call->gate[at], call->input.multiplier, call->input.shift);
  int64_t factor = call->is_gelu ? gelu_factor(x) : silu_factor(x);
  return shift_right(call->gate[at] * factor, GATE_BITS) * call->up[at];
}

static void round_row(const gate_call *call, int64_t row, int64_t *products) {
  int64_t n = call->columns, most = 0;
  for (int64_t i = 0; i < n; i++) {
    products[i] = gated(call, row * n + i);
    int64_t size = products[i] < 0 ? -products[i] : products[i];
    most = size > most ? size : most;
  }
  int bits = bit_length(most) - LARGEST_BITS;
  if (bits < 0) bits = 0;
  int64_t largest = most >> bits;
  for (int64_t i = 0; i < n; i++) {
    int64_t product = products[i], kept = (product < 0 ? -product : product) >> bits;
    call->codes[row * n + i] = (uint8_t)(128 + signed_code(product < 0 ? -kept : kept, largest));
  }
  fixed_factor factor = integer_factor(largest);
  call->factors[2 * row] = factor.multiplier;
  call->factors[2 * row + 1] = factor.shift - bits;
}

static FB_BODY(gate_chunk) {
  const gate_call *call = context;
  int64_t n = call->columns, rows = rows_per_chunk(n), end = fb_min(call->rows, (chunk + 1) * rows);
  for (int64_t row = chunk * rows; row < end; row++) {
    if (call->factors) {
      round_row(call, row, fb_local(call->team, thread));
      continue;
    }
    for (int64_t i = row * n; i < (row + 1) * n; i++) {
      int32_t kept = saturate_int32(shift_right(gated(call, i), call->bits));
      int64_t code = call->zero_point;
      code += multiply_fixed_point(kept, call->fixed.multiplier, call->fixed.shift);
      call->codes[i] = (uint8_t)clip_code(code);
    }
  }
}

/* buffers: codes, factors (NULL: fixed), gate, up; sizes: rows, columns, whether GELU, bits, zero point; reals, all
 * integers: multiplier and shift of the input, those of the codes */
FB_OP(integer_gate) {
  const int64_t *size = args->size;
  gate_call call = {args->buffer[0],
                    args->buffer[1],
                    args->buffer[2],
                    args->buffer[3],
                    size[0],
                    size[1],
                    (int)size[2],
                    {(int32_t)args->real[0], (int32_t)args->real[1]},
                    {(int32_t)args->real[2], (int32_t)args->real[3]},
                    (int)size[3],
                    (int32_t)size[4],
                    team};
  size_t count = (size_t)(call.rows * call.columns);
  FB_REQUIRE(args->bytes[0] == count && args->bytes[2] == count * 4 && args->bytes[3] == count * 4);
  FB_REQUIRE(!call.factors || args->bytes[1] == (size_t)call.rows * 8);
  FB_REQUIRE(call.bits <= 52);
  if (!fb_reserve(team, 0, (size_t)call.columns * 8)) return "integer gate: out of memory";
  fb_parallel(team, row_chunks(call.rows, call.columns), gate_chunk, &call);
  return NULL;
}
