import type { Kernels } from "../../../backend/kernels.ts";
import { packings } from "../../../quant/packings/index.ts";
import { UnsupportedError } from "../../../util/errors.ts";
import { halfBitsToFloat } from "../../../util/half.ts";
import { floats } from "../arrays.ts";
import { meanBy } from "../row-means.ts";
import type { HeldOperand } from "./packed-matmul.ts";

const { fround } = Math;

/** Products of signs, counted: XNOR-Net (arXiv 1603.05279), equation 11. */
export const binaryMatmul: Kernels["binaryMatmul"] = (out, x, weight, scalesTokens) => {
  const { operand } = weight as HeldOperand;
  if ("blocks" in operand || operand.layout.levels !== 2) {
    throw new UnsupportedError("binary products need weights of one bit");
  }
  const { inFeatures, outFeatures, codes, rowBytes, scales } = operand;
  const tokens = inFeatures === 0 ? 0 : floats(x).length / inFeatures;
  const rowCodes = new Uint8Array(inFeatures);
  const signs = Uint8Array.from(floats(x), (value) => Number(value >= 0));
  const tokenScales = Float32Array.from({ length: tokens }, (_, t) =>
    scalesTokens ? meanBy(floats(x).subarray(t * inFeatures, (t + 1) * inFeatures), Math.abs) : 1,
  );
  for (let row = 0; row < outFeatures; row++) {
    packings.bits1.unpack(codes, row * rowBytes, inFeatures, rowCodes, 0);
    const rowScale = halfBitsToFloat(scales[row]);
    for (let token = 0; token < tokens; token++) {
      let differing = 0;
      const at = token * inFeatures;
      for (let k = 0; k < inFeatures; k++) differing += rowCodes[k] ^ signs[at + k];
      const scale = fround(rowScale * tokenScales[token]);
      floats(out)[token * outFeatures + row] = scale * (inFeatures - 2 * differing);
    }
  }
};
