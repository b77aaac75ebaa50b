import type { z } from "zod";
import { QTensor } from "../../quant/q-tensor.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { magnitudesOf } from "../../util/elementwise.ts";
import { floatsToHalves, halvesToFloats } from "../../util/half.ts";
import { Prng } from "../../util/prng.ts";
import { squaredNorm } from "../../util/sums.ts";
import { choice, count } from "./option-kinds.ts";
import { leadingSingularPair, nonNegativeFactors, timesVector } from "./rank-one.ts";
import { codesOf } from "./signs-and-scales.ts";

const tolerance = 1e-6;

/** How signs and values are taken apart. */
export const decompositionOptions = {
  decomposition: choice(
    ["svd", "nmf"],
    "svd",
    "how |W| becomes an outer product: power iteration, or multiplicative updates",
  ),
  iterations: count(50, "steps of the decomposition at most"),
};

/** Options as `decompositionOptions` reads them. */
export type DecompositionOptions = z.output<z.ZodObject<typeof decompositionOptions>>;

/** Whether a scheme stores signs with scales of rows and columns. */
export function storesSignValues({ grid }: Scheme): boolean {
  return grid.inputScales === true && grid.levels === 2;
}

/**
 * Takes `W [out, in]` apart into signs and values, `W ≈ sign(W) ⊙ (h·gᵀ)` with `|W| ≈ h·gᵀ` of rank
 * 1; sign(0) = +1. g is rounded to float16 first, and h is the least-squares answer to the rounded
 * g. Source: SVID in OneBit, arXiv 2402.11295, section 3.2 and equation 5.
 */
export async function separateSigns(
  weight: Tensor<"f32">,
  scheme: Scheme,
  { decomposition, iterations }: DecompositionOptions,
): Promise<QTensor> {
  const [outFeatures = 0, inFeatures = 0] = weight.shape;
  const values = await weight.read();
  const magnitudes = Tensor.from(weight.backend, "f32", weight.shape, magnitudesOf(values));
  const rule = { iterations, tolerance };
  const { b } =
    decomposition === "svd"
      ? await leadingSingularPair(magnitudes, rule)
      : await nonNegativeFactors(magnitudes, new Prng(0), rule);
  const inputScales = floatsToHalves(Float32Array.from(b));
  const scales = await rowScales(magnitudes, halvesToFloats(inputScales));
  magnitudes.release();
  const codes = codesOf(values);
  return QTensor.pack(scheme, { outFeatures, inFeatures, codes, scales, inputScales });
}

/** `h = M·g/(gᵀg)`, float16 bits. */
async function rowScales(magnitudes: Tensor<"f32">, g: Float32Array): Promise<Uint16Array> {
  const square = squaredNorm(g);
  const products = await timesVector(magnitudes, g);
  return floatsToHalves(
    Float32Array.from(products, (product) => (square > 0 ? product / square : 0)),
  );
}
