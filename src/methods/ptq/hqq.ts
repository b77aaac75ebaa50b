import { z } from "zod";
import type { RefineZerosOptions } from "../../backend/kernels.ts";
import { refineZeros } from "../../tensor/quantization-ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { defineMethod, type LinearProblem, type QuantizedLinear } from "../define-method.ts";
import { count, positive } from "../shared/option-kinds.ts";
import { ColumnQuantizer } from "../shared/quantize-columns.ts";

const options = z.object({
  norm: z
    .number()
    .positive()
    .max(1)
    .default(0.7)
    .describe("exponent p of the error's norm: the smaller, the less outliers count"),
  beta: positive(10, "weight of the quadratic term: errors below beta^(-1/(2-p)) count fully"),
  iterations: count(20, "steps at most", 0),
});

type Options = z.output<typeof options>;

/**
 * HQQ (half-quadratic quantization, mobiusml/hqq, hqq/core/optimize.py): each group's scale spans
 * its weights, and its fractional zero point z is moved by alternating two closed-form minima of
 * `‖e‖_p^p + β/2·‖e − (W − Ŵ)‖²`: `e = shrink(W − Ŵ)` and `z = mean(C − (W − e)/s)`. Needs no data.
 *
 * Deviations from the authors' code: every group keeps the zero point with its least `mean|W − Ŵ|`,
 * and steps are repeated until no group improves, where the authors stop all groups together and
 * keep the last; the scale is rounded to float16 before, the zero point after the steps; zero
 * points beyond ±1024 are avoided.
 */
export default defineMethod({
  id: "hqq",
  title: "HQQ",
  summary: "fits fractional zero points; needs no calibration data",
  role: "quantizer",
  needs: { statistics: [] },
  supports: (scheme) => scheme.grid.zeroPoint === "float16",
  options,
  roundingCost: () => 2.5,
  quantizeLinear,
});

async function quantizeLinear(problem: LinearProblem<Options>): Promise<QuantizedLinear> {
  const { weight, scheme } = problem;
  const { norm, beta, iterations } = problem.options;
  const columns = weight.shape[1] ?? 0;
  const quantizer = new ColumnQuantizer(weight, scheme, null);
  quantizer.fitAll();
  const settings = {
    scales: quantizer.scales,
    groupSize: scheme.groupSize ?? columns,
    levels: scheme.grid.levels,
    norm,
    beta,
  };
  quantizer.setZeros(await searchZeros(weight, quantizer.zeros, settings, iterations));
  quantizer.quantize(0, columns, null);
  return { weight: await quantizer.finish() };
}

/**
 * Moves zero points `[rows, groups]` from `start` on and returns for each group the one, of those
 * met on the way, with the least mean error.
 */
async function searchZeros(
  weight: Tensor<"f32">,
  start: Tensor<"f32">,
  settings: RefineZerosOptions,
  iterations: number,
): Promise<Float32Array> {
  const { backend } = weight;
  const best = await start.read();
  const leastErrors = new Float32Array(best.length).fill(Number.POSITIVE_INFINITY);
  const zeros = Tensor.from(backend, "f32", start.shape, best.slice());
  const errors = Tensor.zeros(backend, "f32", start.shape);
  for (let step = 0; step <= iterations; step++) {
    const tried = await zeros.read();
    refineZeros(zeros, errors, weight, settings);
    if (!keepBetter(best, leastErrors, tried, await errors.read())) break;
  }
  zeros.release();
  errors.release();
  return best;
}

/** Takes over what is better in `tried`. Returns whether anything was. */
function keepBetter(
  best: Float32Array,
  leastErrors: Float32Array,
  tried: Float32Array,
  errors: Float32Array,
): boolean {
  let improved = false;
  for (let group = 0; group < best.length; group++) {
    if (!(errors[group] < leastErrors[group])) continue;
    best[group] = tried[group];
    leastErrors[group] = errors[group];
    improved = true;
  }
  return improved;
}
