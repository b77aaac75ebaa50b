/*
 * out[i] = e^(x[i] - shift) in float64, relative error below 1e-15, for x <= shift. Plain C without branches,
 * which compilers turn into vector code at every level. NaN stays NaN; below -700 it is e^-700, 1e-304.
 */
#ifndef FEWBIT_EXP64_H
#define FEWBIT_EXP64_H

#include <stdint.h>
#include <string.h>

static inline void exp_shifted(double *out, const float *x, double shift, int64_t n) {
  const int64_t least = (int64_t)0xc085e00000000000, infinite = (int64_t)0xfff0000000000000;
  const double magic = 0x1.8p52; /* adding it leaves a rounded integer in the low bits */
  for (int64_t i = 0; i < n; i++) {
    double y = (double)x[i] - shift, clamped;
    int64_t order;
    memcpy(&order, &y, sizeof order);
    /* Of negative numbers the larger one is the larger integer's: compared so, nothing can trap. */
    int64_t far = -(int64_t)((order > least) & (order <= infinite));
    order = (least & far) | (order & ~far);
    memcpy(&clamped, &order, sizeof clamped);
    double shifted = clamped * 0x1.71547652b82fep0 + magic;
    double whole = shifted - magic;
    double r = (clamped - whole * 0x1.62e42fefa3800p-1) - whole * 0x1.ef35793c76730p-45;
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1;
    p = p * r + 1;
    uint64_t bits;
    double power;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    memcpy(&power, &bits, sizeof power);
    out[i] = p * power;
  }
}

#endif
