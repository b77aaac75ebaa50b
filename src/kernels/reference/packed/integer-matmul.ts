import type { Kernels } from "../../../backend/kernels.ts";
import { multiplyFixedPoint, saturate } from "../../../quant/fixed-point.ts";
import { floats } from "../arrays.ts";

const { fround } = Math;

/** Products of 8-bit integers, sums in int32 (Jacob et al., arXiv 1712.05877, section 2). */
export const integerMatmul: Kernels["integerMatmul"] = (out, codes, weight, offsets, output) => {
  const { outFeatures, inFeatures, values } = weight;
  const x = codes.storage as Uint8Array;
  const tokens = inFeatures === 0 ? 0 : x.length / inFeatures;
  for (let token = 0; token < tokens; token++) {
    for (let row = 0; row < outFeatures; row++) {
      let sum = 0;
      for (let k = 0; k < inFeatures; k++) {
        sum += x[token * inFeatures + k] * values[row * inFeatures + k];
      }
      const total = saturate(sum + offsets[row]);
      const at = token * outFeatures + row;
      if (output.kind === "scale") {
        const scale = fround(output.rowScales[row] * floats(output.tokenScales)[token]);
        floats(out)[at] = fround(total) * scale;
      } else {
        const factor = { multiplier: output.multipliers[row], shift: output.shifts[row] };
        const code = output.zeroPoint + multiplyFixedPoint(total, factor);
        (out.storage as Uint8Array)[at] = Math.min(Math.max(code, 0), 255);
      }
    }
  }
};
