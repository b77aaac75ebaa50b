import type { SignSlope } from "../../backend/binary-kernels.ts";
import { binarize, withinToken } from "../../nn/binary-linear.ts";
import { isBinary } from "../../quant/activation-grid.ts";
import { type BinaryRule, BinaryWeight } from "../../quant/binary-weight.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { limitRows } from "../../tensor/binary-ops.ts";
import type { ModelProblem, TrainedModel } from "../define-method.ts";
import { choice, flag } from "./option-kinds.ts";
import { trainLatentWeights } from "./train-latent-weights.ts";
import {
  type TrainingDefaults,
  trainingOptions,
  type TrainingOptions,
} from "./training-options.ts";

/** Bound of |W| within which signs have a gradient, and to which weights are clipped. */
const bound = 1;

/** The slope of `s·sign(W)` that passes gradients as they are. */
const straightThrough: SignSlope = { peak: "one", bound, isRelative: false, base: 0 };

/** The slope that the paper of each gradient rule has, for rows of n weights. */
const slopes = {
  /** `1/n + α·1[|W| ≤ 1]`: XNOR-Net (arXiv 1603.05279), section 3.1. */
  "xnor-net": (n: number): SignSlope => ({
    peak: "scale",
    bound,
    isRelative: false,
    base: 1 / Math.max(1, n),
  }),
  "straight-through": (): SignSlope => straightThrough,
} as const;

/** Options of methods that train signs. */
export function binaryOptions(
  defaults: TrainingDefaults,
  usual: { readonly gradient: keyof typeof slopes; readonly centres: boolean },
) {
  return {
    ...trainingOptions(defaults),
    gradient: choice(
      ["xnor-net", "straight-through"],
      usual.gradient,
      "slope of signs of weights: 1/n + scale, or 1; where |W| ≤ 1",
    ),
    inputGradient: choice(
      ["token", "fixed"],
      "token",
      "inputs that have a gradient: |x| ≤ √mean(x²) of the token, or |x| ≤ 1",
    ),
    centre: flag(usual.centres, "take the mean off each row of the weights after each step"),
    clipWeights: flag(true, "clip the weights to [-1, 1] after each step"),
  };
}

type BinaryOptions = TrainingOptions & {
  readonly gradient: keyof typeof slopes;
  readonly inputGradient: "token" | "fixed";
  readonly centre: boolean;
  readonly clipWeights: boolean;
};

/** Whether weights are signs with a scale a row, and inputs are not rounded by fixed ranges. */
export function storesSigns({ grid, groupSize, activation }: Scheme): boolean {
  const isByItself = activation === null || activation.mode === "token" || isBinary(activation);
  return grid.training?.scale === "mean" && grid.levels === 2 && groupSize === null && isByItself;
}

/** Trains linears as signs with a scale a row, their inputs as the schemes say; packs them. */
export function trainBinaryWeights(
  problem: ModelProblem<BinaryOptions>,
  training: {
    readonly defaults: TrainingDefaults;
    readonly rowScales: BinaryRule["rowScales"];
  },
): Promise<TrainedModel> {
  const { gradient, inputGradient, centre, clipWeights } = problem.options;
  const { rowScales, defaults } = training;
  const rule: BinaryRule = { rowScales, slope: slopes[gradient] };
  const slope = inputGradient === "token" ? withinToken : straightThrough;
  const limit = clipWeights ? bound : Number.POSITIVE_INFINITY;
  return trainLatentWeights(problem, {
    defaults,
    rateOf: () => 2e-5,
    latentOf: (weight, scheme) => BinaryWeight.of(weight, scheme, rule),
    inputsOf: ({ activation }) =>
      activation && isBinary(activation) ? (x) => binarize(x, activation, slope) : null,
    ...((centre || clipWeights) && { limit: (weight) => limitRows(weight, centre, limit) }),
  });
}
