/*
 * Scalar conversions between float32 and the 16-bit floats, exact or rounding to nearest even.
 *
 *   float16   s eeeee mmmmmmmmmm            bfloat16   s eeeeeeee mmmmmmm  (the upper half of a float32)
 */
#ifndef FEWBIT_HALF_H
#define FEWBIT_HALF_H

#include <stdint.h>
#include <string.h>

static inline float fb_bits_to_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t fb_float_to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float fb_from_bf16(uint16_t half) { return fb_bits_to_float((uint32_t)half << 16); }

static inline uint16_t fb_to_bf16(float value) {
  uint32_t bits = fb_float_to_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline float fb_from_f16(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  uint32_t magnitude = half & 0x7fff;
  if (magnitude >= 0x7c00) return fb_bits_to_float(sign | 0x7f800000u | (magnitude & 0x3ff) << 13);
  if (magnitude >= 0x400) return fb_bits_to_float(sign | ((magnitude << 13) + 0x38000000u));
  float subnormal = (float)magnitude * 0x1p-24f;
  return fb_bits_to_float(sign | fb_float_to_bits(subnormal));
}

static inline uint16_t fb_to_f16(float value) {
  uint32_t bits = fb_float_to_bits(value);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  bits &= 0x7fffffffu;
  if (bits > 0x7f800000u) return (uint16_t)(sign | 0x7e00 | (bits >> 13 & 0x3ff));
  if (bits >= 0x477ff000u) return (uint16_t)(sign | 0x7c00); /* 65520 and more round to infinity */
  if (bits < 0x38800000u) { /* below the smallest normal: adding ½ puts the rounded bits at the end */
    return (uint16_t)(sign | (fb_float_to_bits(fb_bits_to_float(bits) + 0.5f) - 0x3f000000u));
  }
  bits += 0xfffu + (bits >> 13 & 1);
  return (uint16_t)(sign | (bits - 0x38000000u) >> 13);
}

#endif
