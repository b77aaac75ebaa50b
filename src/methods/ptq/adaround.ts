import { z } from "zod";
import type { Hessian } from "../../calibration/statistics/hessian.ts";
import type { RoundedWeight } from "../../quant/rounded-weight.ts";
import { hasEvenLevels, hasIndependentGroups } from "../../quant/scheme.ts";
import { add, multiply } from "../../tensor/ops.ts";
import { matmul } from "../../tensor/products.ts";
import { Tape } from "../../tensor/tape.ts";
import { Tensor, tidy } from "../../tensor/tensor.ts";
import { type MicroBatch, readTerm, runTraining } from "../../training/training-loop.ts";
import { largestMagnitude, scaledFloats } from "../../util/elementwise.ts";
import { sum } from "../../util/sums.ts";
import { defineMethod, type LinearProblem, type QuantizedLinear } from "../define-method.ts";
import { tokenLossOption } from "../shared/block-training-options.ts";
import { cautionAboveFourBits } from "../shared/few-bits.ts";
import { latentParameters } from "../shared/latent-weights.ts";
import { count } from "../shared/option-kinds.ts";
import { quadraticForms } from "../shared/quadratic-loss.ts";
import { roundToNearest } from "../shared/quantize-columns.ts";
import {
  judgeEvery,
  penalize,
  roundedStart,
  roundingGuard,
  roundingOptimizer,
  roundingOptions,
} from "../shared/rounding-training.ts";
import { scaleSearch, scaleSearchOptions } from "../shared/scale-search.ts";

const options = z.object({
  iters: count(300, "steps of training a layer"),
  ...roundingOptions,
  loss: tokenLossOption,
  ...scaleSearchOptions(true),
});

type Options = z.output<typeof options>;

/**
 * AdaRound (arXiv 2004.10568): layer by layer, which way each weight is rounded is trained to make
 * the error of the layer's outputs small, `min Σ_t ‖(Ŵ − W)·x_t‖²` over the inputs out of the
 * quantized layers before it (equations 21 to 25).
 *
 * Deviations from the paper: second moments of the inputs stand for the inputs, so that every step
 * sees all tokens; the target is what the layer gives for the same inputs, not for the original's;
 * there is no activation function behind linears of a decoder that the error could be taken after;
 * errors count by the energy of the layer's outputs; fewer, larger steps.
 */
export default defineMethod({
  id: "adaround",
  title: "AdaRound",
  summary: "trains which way each weight is rounded, a layer at a time",
  role: "quantizer",
  paper: { arxiv: "2004.10568" },
  needs: { statistics: ["hessian"] },
  compensates: true,
  // As of a block, the weight negated, and three products of its shape.
  trainingBytes: 45,
  supports: (scheme) => hasIndependentGroups(scheme) && hasEvenLevels(scheme),
  caution: cautionAboveFourBits("AdaRound"),
  options,
  weighsTokens: ({ loss }) => loss === "relative",
  layerProducts: ({ iters }) => iters,
  quantizeLinear,
});

async function quantizeLinear(problem: LinearProblem<Options>): Promise<QuantizedLinear> {
  const { weight, scheme, hessian, options: chosen, tooFew } = problem;
  const search = scaleSearch(chosen);
  const energy = hessian && tooFew === undefined ? await OutputError.of(weight, hessian) : null;
  if (!energy) {
    const why = tooFew ?? "its outputs are 0 for all inputs";
    const rounded = await roundToNearest(weight, scheme, search);
    return { weight: rounded, fallback: `${why}: rounded to nearest` };
  }
  try {
    return await train(problem, energy);
  } finally {
    energy.release();
  }
}

async function train(
  { name, weight, scheme, options: chosen }: LinearProblem<Options>,
  error: OutputError,
): Promise<QuantizedLinear> {
  const { iters } = chosen;
  const { weight: latent } = await roundedStart(
    { weight, scheme, start: null },
    scaleSearch(chosen),
  );
  const parameters = latentParameters(name, latent);
  try {
    const { kept } = await runTraining({
      parameters,
      steps: iters,
      schedule: { kind: "constant" },
      optimizer: roundingOptimizer(chosen, iters),
      loss: (step) => {
        const batch = error.ofStep(latent);
        penalize(chosen, parameters, batch.gradients, { step, steps: iters, scale: 1 });
        return batch;
      },
      validation: { every: judgeEvery(iters), measure: () => error.measure(latent) },
      keepsBest: true,
      guard: roundingGuard,
      judgesEnd: false,
    });
    const packed = await latent.freeze();
    if (kept && kept.step > 0) return { weight: packed };
    return { weight: packed, fallback: "no step made it better: rounded to nearest" };
  } finally {
    latent.releaseLearned();
  }
}

/**
 * The error of a layer's outputs, `n·tr(δ·H·δᵀ)/tr(W·H·Wᵀ)` with `δ = Ŵ − W`, `H = Σ x·xᵀ` and n
 * outputs: the squared error of a token's outputs if these have a mean square of 1.
 */
class OutputError {
  /** `−W` */
  private readonly negated: Tensor<"f32">;
  /** H times what makes gradients of products with it. */
  private readonly moments: Tensor<"f32">;

  private constructor(negated: Tensor<"f32">, moments: Tensor<"f32">) {
    this.negated = negated;
    this.moments = moments;
  }

  /** Returns null where all outputs are 0. */
  static async of(weight: Tensor<"f32">, hessian: Hessian): Promise<OutputError | null> {
    const { backend } = weight;
    const size = [hessian.size, hessian.size];
    const gathered = await hessian.moments();
    const upload = (factor: number): Tensor<"f32"> =>
      Tensor.from(backend, "f32", size, scaledFloats(gathered, factor));
    const largest = largestMagnitude(gathered);
    if (!(largest > 0)) return null;
    const plain = upload(1 / largest);
    const energy = largest * sum(await quadraticForms(weight, plain));
    plain.release();
    if (!(energy > 0)) return null;
    const [outputs = 0] = weight.shape;
    const negated = scaledFloats(await weight.read(), -1);
    const moments = upload((2 * outputs) / energy);
    return new OutputError(Tensor.from(backend, "f32", weight.shape, negated), moments);
  }

  /** Enqueues the error, with gradients by the roundings. */
  ofStep(latent: RoundedWeight): MicroBatch {
    const [{ value }] = latent.learned;
    const tape = new Tape();
    try {
      tape.watch(value);
      const weights = tape.run(() => latent.weights()) as Tensor<"f32">;
      const { values, gradient } = this.compare(weights);
      tape.backward([[weights, gradient]]);
      return { loss: [{ values, scale: 0.5 }], gradients: [tape.takeGradient(value)] };
    } finally {
      tape.release();
    }
  }

  /** The error with every weight on the grid. */
  async measure(latent: RoundedWeight): Promise<number> {
    const weights = latent.weights() as Tensor<"f32">;
    const { values, gradient } = this.compare(weights);
    for (const tensor of [weights, gradient]) tensor.release();
    return readTerm({ values, scale: 0.5 });
  }

  release(): void {
    this.negated.release();
    this.moments.release();
  }

  private compare(weights: Tensor<"f32">): { values: Tensor<"f32">; gradient: Tensor<"f32"> } {
    const [values, gradient] = tidy(() => {
      const difference = add(weights, this.negated);
      const product = matmul(difference, this.moments);
      return [multiply(difference, product), product];
    });
    return { values, gradient };
  }
}
