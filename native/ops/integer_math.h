/*
 * Functions of integers by integers alone, as src/quant/integer-functions.ts has them: exponential, gates and root of
 * I-BERT (arXiv 2101.01321), Q14 in, and what rows of codes are made with. Every value fits an int64.
 */
#ifndef FEWBIT_INTEGER_MATH_H
#define FEWBIT_INTEGER_MATH_H

#include "fixed_point.h"

#define EXP_LN2 11356
#define EXP_OFFSET 22167
#define EXP_CONSTANT 257578233
#define EXP_ONE ((int64_t)EXP_OFFSET * EXP_OFFSET + EXP_CONSTANT)
#define GATE_BITS 20

static inline int bit_length(int64_t value) { return value == 0 ? 0 : 64 - __builtin_clzll((uint64_t)value); }

/* value / 2^bits, halves up. */
static inline int64_t shift_right(int64_t value, int bits) {
  return bits == 0 ? value : (value + ((int64_t)1 << (bits - 1))) >> bits;
}

/* An integer of at most 53 bits as a factor, cut to 31 bits. */
static inline fixed_factor integer_factor(int64_t value) {
  int length = bit_length(value);
  if (length == 0) return (fixed_factor){0, 0};
  return (fixed_factor){(int32_t)(length <= 31 ? value << (31 - length) : value >> (length - 31)), -length};
}

/* e^q, q <= 0 in Q14, in units of 0.3585 * 2^-28. */
static inline int64_t integer_exp(int64_t q) {
  int64_t halvings = -q / EXP_LN2;
  if (halvings >= 30) return 0;
  int64_t sum = q + halvings * EXP_LN2 + EXP_OFFSET;
  return (sum * sum + EXP_CONSTANT) >> halvings;
}

static inline int64_t silu_factor(int64_t q) {
  int64_t tail = integer_exp(q < 0 ? q : -q), whole = EXP_ONE + tail, part = q < 0 ? tail : EXP_ONE;
  return ((part << (GATE_BITS + 1)) + whole) / (2 * whole);
}

static inline int64_t gelu_factor(int64_t q) {
  const int64_t end = 28983, offset = 28984, one = 929485651;
  int64_t size = q < 0 ? -q : q, left = offset - (size < end ? size : end);
  int64_t erf = q == 0 ? 0 : one - left * left, sum = q < 0 ? one - erf : one + erf;
  return ((sum << GATE_BITS) + one) / (2 * one);
}

/* Floor of the root, by Newton's steps from above. */
static inline int64_t integer_sqrt(int64_t n) {
  if (n == 0) return 0;
  int64_t root = (int64_t)1 << ((bit_length(n) + 1) / 2);
  for (;;) {
    int64_t next = (root + n / root) / 2;
    if (next >= root) return root;
    root = next;
  }
}

/* x * 127 / largest, halves away from zero; 0 where that is 0. */
static inline int32_t signed_code(int64_t x, int64_t largest) {
  if (largest == 0) return 0;
  int64_t code = (254 * (x < 0 ? -x : x) + largest) / (2 * largest);
  return (int32_t)(x < 0 ? -code : code);
}

static inline int64_t clip_code(int64_t code) { return code < 0 ? 0 : code > 255 ? 255 : code; }

#endif
