/*
 * packed_embedding and decode_packed for every packing and kind of zero points, against codes that are put in bit by bit.
 */
#include <stdlib.h>
#include <string.h>

#include "../include/half.h"
#include "check.h"

enum { NONE, PACKED, HALVES };
enum { F32 = 0, BF16 = 2 };

static int64_t levels_of(int64_t packing) { return packing == 5 ? 3 : (int64_t)1 << packing; }

static int64_t stream_bytes(int64_t packing, int64_t count) {
  int64_t bytes = packing == 5 ? fb_ceil_div(count, 5) : fb_ceil_div(count * packing, 8);
  if (packing == 3) bytes = fb_ceil_div(count, 8) * 3;
  return fb_round_up(bytes, 4);
}

static void put_code(uint8_t *stream, int64_t packing, int64_t j, int64_t code) {
  static const uint8_t powers[] = {1, 3, 9, 27, 81};
  if (packing == 5) {
    stream[j / 5] = (uint8_t)(stream[j / 5] + code * powers[j % 5]);
    return;
  }
  for (int64_t bit = 0; bit < packing; bit++) {
    int64_t at = j * packing + bit;
    stream[at / 8] = (uint8_t)(stream[at / 8] | (code >> bit & 1) << at % 8);
  }
}

/* Decoding with float32 scales, and the gradient of that; `args` has the packed weight from buffer 3 on. */
static void check_decoding(fb_check *check, fb_args args, const uint16_t *halves, const double *units) {
  int64_t rows = args.size[0], width = args.size[1], group_size = args.size[2];
  int64_t groups = fb_ceil_div(width, group_size), all = rows * groups, count = rows * width;
  float *scales = take((size_t)all * 4), *out = random_floats(check, count), *sums = random_floats(check, all);
  uint16_t *halved = take((size_t)count * 2), *expected_halves = take((size_t)count * 2);
  double *expected = take((size_t)count * 8), *expected_sums = take((size_t)all * 8);
  for (int64_t g = 0; g < all; g++) scales[g] = fb_from_f16(halves[g]), expected_sums[g] = 0;
  for (int64_t i = 0; i < count; i++) {
    int64_t group = i / width * groups + i % width / group_size;
    expected[i] = scales[group] * units[i];
    expected_sums[group] += (double)out[i] * units[i];
  }
  set_buffer(&args, 0, sums, (size_t)all * 4);
  set_buffer(&args, 2, out, (size_t)count * 4);
  call_op(check, "decode_packed_backward", &args);
  expect_floats(check, "decode_packed_backward", sums, expected_sums, all, 2e-5, 2e-6);
  set_buffer(&args, 2, NULL, 0);
  args.size[6] = F32;
  set_buffer(&args, 0, out, (size_t)count * 4);
  set_buffer(&args, 1, scales, (size_t)all * 4);
  call_op(check, "decode_packed", &args);
  expect_floats(check, "decode_packed", out, expected, count, 0, 2e-7);
  for (int64_t i = 0; i < count; i++) expected_halves[i] = fb_to_bf16(out[i]);
  args.size[6] = BF16;
  set_buffer(&args, 0, halved, (size_t)count * 2);
  call_op(check, "decode_packed", &args);
  expect_bytes(check, "decode_packed, bfloat16", halved, expected_halves, (size_t)count * 2);
  args.size[0]++;
  call_refused(check, "decode_packed", &args);
  free(scales);
  free(out);
  free(sums);
  free(halved);
  free(expected_halves);
  free(expected);
  free(expected_sums);
}

static void check_table(fb_check *check, int64_t packing, int64_t zeros, int64_t rows, int64_t width,
                        int64_t group_size) {
  int64_t row_bytes = stream_bytes(packing, width), groups = fb_ceil_div(width, group_size);
  int64_t levels = levels_of(packing), all = rows * groups, tokens = 5;
  size_t zero_bytes = zeros == PACKED ? (size_t)stream_bytes(packing, all) : (size_t)all * 2;
  uint8_t *codes = take((size_t)(rows * row_bytes)), *zero_points = take(zero_bytes);
  uint16_t *scales = take((size_t)all * 2);
  float *out = take((size_t)(tokens * width) * 4);
  double *values = take((size_t)(rows * width) * 8), *expected = take((size_t)(tokens * width) * 8);
  double *zero_values = take((size_t)all * 8), *units = take((size_t)(rows * width) * 8);
  int32_t *ids = take((size_t)tokens * 4);
  memset(codes, 0, (size_t)(rows * row_bytes));
  memset(zero_points, 0, zero_bytes);
  for (int64_t g = 0; g < all; g++) {
    scales[g] = fb_to_f16((float)(random_unit(check) - 0.5));
    zero_values[g] = 0;
    if (zeros == PACKED) {
      int64_t code = random_below(check, levels);
      put_code(zero_points, packing, g, code);
      zero_values[g] = (double)code;
    } else if (zeros == HALVES) {
      uint16_t half = fb_to_f16((float)(random_unit(check) * (double)levels));
      memcpy(zero_points + 2 * g, &half, 2);
      zero_values[g] = fb_from_f16(half);
    }
  }
  for (int64_t i = 0; i < rows * width; i++) {
    int64_t row = i / width, j = i % width, group = row * groups + j / group_size;
    int64_t code = random_below(check, levels);
    put_code(codes + row * row_bytes, packing, j, code);
    units[i] = -1.5 + 0.5 * ((double)code - zero_values[group]);
    values[i] = fb_from_f16(scales[group]) * units[i];
  }
  for (int64_t t = 0; t < tokens; t++) {
    ids[t] = (int32_t)(t == 0 ? rows - 1 : random_below(check, rows));
    memcpy(expected + t * width, values + ids[t] * width, (size_t)width * 8);
  }
  fb_args args = {.size = {rows, width, group_size, row_bytes, packing, zeros},
                  .real = {-1.5, 0.5}};
  set_buffer(&args, 3, codes, (size_t)(rows * row_bytes));
  if (zeros == PACKED || zeros == HALVES) set_buffer(&args, 4, zero_points, zero_bytes);
  check_decoding(check, args, scales, units);
  args.size[6] = tokens;
  set_buffer(&args, 0, out, (size_t)(tokens * width) * 4);
  set_buffer(&args, 1, scales, (size_t)all * 2);
  set_buffer(&args, 2, ids, (size_t)tokens * 4);
  call_op(check, "packed_embedding", &args);
  expect_floats(check, "packed_embedding", out, expected, tokens * width, 0, 2e-7);
  ids[2] = (int32_t)rows;
  call_refused(check, "packed_embedding", &args);
  free(codes);
  free(zero_points);
  free(scales);
  free(out);
  free(values);
  free(expected);
  free(zero_values);
  free(units);
  free(ids);
}

void check_packed_embedding(fb_check *check) {
  static const int64_t packings[] = {1, 2, 3, 4, 5, 8};
  static const int64_t shapes[][3] = {{1, 1, 8}, {7, 13, 13}, {9, 172, 64}, {5, 241, 8}};
  for (size_t p = 0; p < sizeof packings / sizeof *packings; p++) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
      for (int64_t zeros = NONE; zeros <= HALVES; zeros++) {
        check_table(check, packings[p], zeros, shapes[i][0], shapes[i][1], shapes[i][2]);
      }
    }
  }
}
