import type { Kernels } from "../../../backend/kernels.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../../util/half.ts";
import { floats } from "../arrays.ts";

const largestScale = 65504;

/** `out = clip(x, least, 65504)`, rounded to float16; NaN stays NaN. */
export const roundScales: Kernels["roundScales"] = (out, x, least) => {
  const from = floats(x);
  const to = floats(out);
  for (let i = 0; i < from.length; i++) {
    const scale = Math.min(Math.max(from[i], Math.fround(least)), largestScale);
    to[i] = halfBitsToFloat(floatToHalfBits(scale));
  }
};
