import type { Kernels, RefineZerosOptions } from "../../../backend/kernels.ts";
import { roundHalfEven } from "../../../util/rounding.ts";
import { floats } from "../arrays.ts";

const { fround } = Math;

/**
 * One half-quadratic step on the zero point of every group. With `e` inserted, the new zero point
 * is `z − mean(sign(d)·min(|d|, |d|^(p−1)/β))/s`. Source: HQQ, hqq/core/optimize.py; sums in
 * float64.
 */
export const refineZeros: Kernels["refineZeros"] = (zeros, errors, weight, options) => {
  const [rows = 0, columns = 0] = weight.shape;
  const groups = zeros.shape[1] ?? 0;
  const scales = floats(options.scales);
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < groups; group++) {
      const start = row * columns + group * options.groupSize;
      const end = Math.min(start + options.groupSize, (row + 1) * columns);
      const at = row * groups + group;
      const scale = scales[at];
      const zero = floats(zeros)[at];
      const step = halfQuadraticStep(floats(weight).subarray(start, end), { scale, zero }, options);
      floats(errors)[at] = step.error;
      floats(zeros)[at] = step.zero;
    }
  }
};

function halfQuadraticStep(
  weights: Float32Array,
  { scale, zero }: { scale: number; zero: number },
  { levels, norm, beta }: RefineZerosOptions,
): { error: number; zero: number } {
  let error = 0;
  let offset = 0;
  for (const w of weights) {
    const rounded = roundHalfEven(fround(fround(w / scale) + zero));
    const code = Math.min(Math.max(rounded, 0), levels - 1);
    const d = fround(w - fround(scale * fround(code - zero)));
    const magnitude = Math.abs(d);
    error += magnitude;
    if (d !== 0) offset += Math.sign(d) * Math.min(magnitude, magnitude ** (norm - 1) / beta);
  }
  const count = weights.length;
  return { error: error / count, zero: zero - offset / count / scale };
}
