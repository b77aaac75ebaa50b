import type { SignSlope } from "../../backend/binary-kernels.ts";
import { binarize, withinToken } from "../../nn/binary-linear.ts";
import { isBinary } from "../../quant/activation-grid.ts";
import { type BinaryRule, BinaryWeight } from "../../quant/binary-weight.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { limitRows } from "../../tensor/binary-ops.ts";
import type { ModelProblem, TrainedModel } from "../define-method.ts";
import { choice, flag } from "./option-kinds.ts";
import { type LatentTraining, trainLatentWeights } from "./train-latent-weights.ts";
import {
  rateForWidth,
  type TrainingDefaults,
  trainingOptions,
  type TrainingOptions,
} from "./training-options.ts";

/** Bound of |W| within which signs have a gradient, and to which weights are clipped. */
const bound = 1;

/** Inputs within ±1 have a gradient, as they stand. */
const withinOne: SignSlope = { peak: "one", bound, isRelative: false, base: 0 };

/** Slopes of `s·sign(W)` by W, for rows of n weights. */
const slopes = {
  /** `1/n + s·1[|W| ≤ 1]`: XNOR-Net (arXiv 1603.05279), section 3.1. */
  "xnor-net": (n: number): SignSlope => ({ ...within, base: 1 / Math.max(1, n) }),
  /** `s·1[|W| ≤ 1]`: BNN (arXiv 1602.02830), equation 4. */
  "straight-through": (): SignSlope => within,
} as const;

const within: SignSlope = { peak: "scale", bound, isRelative: false, base: 0 };

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
      "gradient of a weight where |W| ≤ 1: 1/n + scale times that of its sign, or scale times",
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
  return (
    grid.training?.scale === "followed" && grid.levels === 2 && groupSize === null && isByItself
  );
}

/** Trains linears as signs with a scale a row, their inputs as the schemes say; packs them. */
export function trainBinaryWeights(
  problem: ModelProblem<BinaryOptions>,
  training: {
    readonly defaults: TrainingDefaults;
    readonly rowScales: BinaryRule["rowScales"];
  },
): Promise<TrainedModel> {
  const { rowScales, defaults } = training;
  return trainLatentWeights(problem, {
    defaults,
    // As ParetoQ's and BitNet's, so that they can be compared.
    rateOf: (_, width) => rateForWidth(2e-5, width),
    ...binaryLayers(problem.options, rowScales),
  });
}

/** How linears are seen, and what becomes of their weights after a step. */
export function binaryLayers(
  options: Omit<BinaryOptions, keyof TrainingOptions>,
  rowScales: BinaryRule["rowScales"],
): Required<Pick<LatentTraining, "latentOf" | "inputsOf" | "limit">> {
  const { gradient, inputGradient, centre, clipWeights } = options;
  const slope = inputGradient === "token" ? withinToken : withinOne;
  const limit = clipWeights ? bound : Number.POSITIVE_INFINITY;
  return {
    latentOf: (weight, scheme) =>
      BinaryWeight.of(weight, scheme, { rowScales, slope: slopes[gradient] }),
    inputsOf: ({ activation }) =>
      activation && isBinary(activation) ? (x) => binarize(x, activation, slope) : null,
    limit: (weight) => {
      if (centre || clipWeights) limitRows(weight, centre, limit);
    },
  };
}
