import type { IntegerOutput } from "../../../backend/integer-weight.ts";
import type { Kernels, TensorView } from "../../../backend/kernels.ts";
import { multiplyFactors, multiplyFixedPoint, saturate } from "../../../quant/fixed-point.ts";
import { floats, integers } from "../arrays.ts";

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
      writeSum(out, saturate(sum + offsets[row]), [token, row, outFeatures], output);
    }
  }
};

/** Turns the sum of one token and row into an output. */
function writeSum(
  out: TensorView,
  sum: number,
  [token, row, outFeatures]: readonly [token: number, row: number, outFeatures: number],
  output: IntegerOutput,
): void {
  const at = token * outFeatures + row;
  if (output.kind === "scale") {
    const scale = fround(output.rowScales[row] * floats(output.tokenScales)[token]);
    floats(out)[at] = fround(sum) * scale;
    return;
  }
  const factor = { multiplier: output.multipliers[row], shift: output.shifts[row] };
  if (output.kind === "requantize") {
    const code = output.zeroPoint + multiplyFixedPoint(sum, factor);
    (out.storage as Uint8Array)[at] = Math.min(Math.max(code, 0), 255);
    return;
  }
  const [multiplier, shift] = output.factors
    ? integers(output.factors).subarray(2 * token, 2 * token + 2)
    : [];
  const whole = output.factors ? multiplyFactors({ multiplier, shift }, factor) : factor;
  integers(out)[at] = saturate(multiplyFixedPoint(sum, whole) + output.bias[row]);
}
