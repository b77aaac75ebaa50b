import { z } from "zod";
import { isCoarse } from "../../quant/activation-grid.ts";
import { packSparseRows } from "../../quant/sparse-rows.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { sparseWeights, withoutSparse } from "../../quant/scheme.ts";
import { clusterRows } from "../../tensor/quantization-ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { NumericError } from "../../util/errors.ts";
import { fitHalves } from "../../util/fit-halves.ts";
import { defineMethod, type LinearProblem, type QuantizedLinear } from "../define-method.ts";
import { chooseSparse } from "../shared/choose-sparse.ts";

const options = z.object({
  sensitive: z
    .number()
    .min(0)
    .max(10)
    .default(0.05)
    .describe(
      "percent of weights kept as float16 because the loss depends on them most; " +
        "the rest of the scheme's share goes to the largest",
    ),
});

type Options = z.output<typeof options>;

/**
 * SqueezeLLM (arXiv 2306.07629): the weights of each row are clustered into `2^bits` values, each
 * counted by how much the loss depends on it, `F = Σ (∂L/∂w)²` over the calibration windows (section
 * 4.1); a row's values are a codebook in float16. Under schemes with a sparse share, the most sensitive
 * weights of a matrix and the largest ones stand beside the codes as float16, and count for nothing
 * in the clusters (section 4.2).
 *
 * Deviations from the authors' code: clusters are the best ones, by a dynamic program, where k-means
 * of scikit-learn finds a local minimum; codes are chosen to the values as they are stored; as many
 * of the largest weights of each matrix are taken out as the scheme says, where the authors choose
 * one factor of the quartile range for all; such a weight keeps the nearest code, and what is stored
 * of it is its difference from the value of that, so that the sum is right.
 */
export default defineMethod({
  id: "squeezellm",
  title: "SqueezeLLM",
  summary: "clusters each row by squared gradients, a few weights beside them",
  role: "quantizer",
  paper: { arxiv: "2306.07629" },
  needs: { statistics: [], sensitivities: true },
  supports: ({ grid }) => grid.codebook ?? false,
  caution: ({ id, activation }) =>
    isCoarse(activation)
      ? `SqueezeLLM measures gradients with float inputs; with those of ${id} its weights may do no ` +
        "better than rounded ones"
      : null,
  budget: (_, { data: { windows } }) =>
    windows < 16
      ? `SqueezeLLM has the gradients of ${windows} windows: a weight that none of them moves counts ` +
        "for nothing; use `samples` of about 100"
      : null,
  options,
  quantizeLinear,
});

async function quantizeLinear(problem: LinearProblem<Options>): Promise<QuantizedLinear> {
  const { name, weight, scheme, sensitivities, options: chosen } = problem;
  if (!sensitivities) {
    throw new NumericError(`${name}: SqueezeLLM needs gradients, and none were measured`);
  }
  const [outFeatures = 0, inFeatures = 0] = weight.shape;
  const values = await weight.read();
  const counted = await sensitivities.read();
  const count = sparseWeights(scheme, outFeatures, inFeatures);
  const sensitive = Math.min(count, Math.round((values.length * chosen.sensitive) / 100));
  const places = chooseSparse(values, counted, { count, sensitive });
  for (const place of places) counted[place] = 0;
  const clustered = await clusterWeights(weight, counted, scheme.grid.levels);
  const shape = { outFeatures, inFeatures };
  const dense = { ...shape, ...clustered, scales: new Uint16Array() };
  if (count === 0) return { weight: QTensor.pack(scheme, dense) };
  const decoded = QTensor.pack(withoutSparse(scheme), dense).dequantize();
  const missing = Float32Array.from(places, (place) => values[place] - decoded[place]);
  const halves = fitHalves(missing, {
    what: `the largest weights of ${name}`,
    hint: "use a scheme without sparse weights",
  });
  const sparse = packSparseRows([outFeatures, inFeatures], places, halves);
  return { weight: QTensor.pack(scheme, { ...dense, sparse }) };
}

/** Codes of a weight `[out, in]`, and the values of its rows as they are stored. */
async function clusterWeights(
  weight: Tensor<"f32">,
  counted: Float32Array,
  levels: number,
): Promise<{ readonly codes: Uint8Array; readonly codebook: Uint16Array }> {
  const { backend, shape } = weight;
  const table = Tensor.empty(backend, "f16", [shape[0] ?? 0, levels]);
  const codes = Tensor.empty(backend, "u8", shape);
  const weights = Tensor.from(backend, "f32", shape, counted);
  clusterRows(table, codes, weight, weights);
  const clustered = { codes: await codes.read(), codebook: await table.read() };
  for (const tensor of [table, codes, weights]) tensor.release();
  return clustered;
}
