import type { Kernels } from "../../../backend/kernels.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../../util/half.ts";
import { roundHalfEven } from "../../../util/rounding.ts";
import { floats } from "../arrays.ts";

const largestScale = 65504;

/** Bits of a third of a scale, such that three of it are a float16. */
const thirdBits = 9;

/**
 * `out = clip(x, least, 65504)`, rounded to float16; NaN stays NaN. With `thirds` it is first
 * rounded to three times a number of 9 bits, half to even.
 */
export const roundScales: Kernels["roundScales"] = (out, x, least, thirds) => {
  const from = floats(x);
  const to = floats(out);
  for (let i = 0; i < from.length; i++) {
    const scale = Math.min(Math.max(from[i], Math.fround(least)), largestScale);
    to[i] = halfBitsToFloat(floatToHalfBits(thirds && scale > 0 ? roundToThirds(scale) : scale));
  }
};

function roundToThirds(scale: number): number {
  const third = Math.fround(scale / 3);
  const step = 2 ** (Math.floor(Math.log2(third)) + 1 - thirdBits);
  return 3 * step * roundHalfEven(third / step);
}
