import { z } from "zod";
import { QTensor } from "../../quant/q-tensor.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { floatsToHalves, halvesToFloats } from "../../util/half.ts";
import { Prng } from "../../util/prng.ts";
import { defineMethod } from "../define-method.ts";
import {
  leadingSingularPair,
  nonNegativeFactors,
  type OuterProduct,
  timesVector,
} from "../shared/rank-one.ts";

const tolerance = 1e-6;

const options = z.object({
  decomposition: z
    .enum(["svd", "nmf"])
    .default("svd")
    .describe("how |W| becomes an outer product: power iteration, or multiplicative updates"),
  iterations: z.number().int().positive().default(50).describe("steps at most"),
});

/**
 * SVID (sign-value-independent decomposition): `W ≈ sign(W) ⊙ (h·gᵀ)` with the rank-1 approximation `|W| ≈ h·gᵀ`; sign(0) =
 * +1. Needs no data. Source: OneBit, arXiv 2402.11295, section 3.2 and equation 5.
 *
 * At rank 1 the best non-negative factors are the leading singular vectors of `|W|` (Perron and Frobenius), so both ways
 * end at the same vectors. Since `‖W − sign(W) ⊙ h·gᵀ‖ = ‖|W| − h·gᵀ‖`, no other signs and no alternating refinement of
 * signs and scales (ARB-RC, arXiv 2410.03129, without its row means) come closer to W.
 *
 * Deviation: g is rounded to float16 first, and h is the least-squares answer to the rounded g.
 */
export default defineMethod({
  id: "svid",
  title: "SVID",
  summary: "signs with scales of rows and columns; needs no calibration data",
  role: "quantizer",
  paper: { arxiv: "2402.11295" },
  needs: { statistics: [], order: "independent" },
  supports: ({ grid }) => grid.inputScales === true && grid.levels === 2,
  options,
  quantizeLinear: async ({ weight, scheme, options: { decomposition, iterations } }) => {
    const rule = { iterations, tolerance };
    const values = await weight.read();
    const magnitudes = Tensor.from(weight.backend, "f32", weight.shape, values.map(Math.abs));
    const factors =
      decomposition === "svd"
        ? await leadingSingularPair(magnitudes, rule)
        : await nonNegativeFactors(magnitudes, new Prng(0), rule);
    const vectors = await storedVectors(magnitudes, factors);
    magnitudes.release();
    return { weight: packSigns(values, vectors, scheme) };
  },
});

interface StoredVectors {
  readonly scales: Uint16Array;
  readonly inputScales: Uint16Array;
}

/** Rounds b to float16, and `a = M·b/(bᵀb)` for the rounded b. */
async function storedVectors(
  magnitudes: Tensor<"f32">,
  { b }: OuterProduct,
): Promise<StoredVectors> {
  const inputScales = floatsToHalves(Float32Array.from(b));
  const rounded = halvesToFloats(inputScales);
  let square = 0;
  for (const value of rounded) square += value * value;
  const products = await timesVector(magnitudes, rounded);
  const scales = Float32Array.from(products, (product) => (square > 0 ? product / square : 0));
  return { scales: floatsToHalves(scales), inputScales };
}

function packSigns(
  values: Float32Array,
  { scales, inputScales }: StoredVectors,
  scheme: Scheme,
): QTensor {
  const codes = Uint8Array.from(values, (value) => (value >= 0 ? 1 : 0));
  const [outFeatures, inFeatures] = [scales.length, inputScales.length];
  return QTensor.pack(scheme, { outFeatures, inFeatures, codes, scales, inputScales });
}
