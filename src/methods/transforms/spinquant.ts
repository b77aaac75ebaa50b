import { z } from "zod";
import {
  denseRotation,
  type ModelRotation,
  type Rotation,
  type Turn,
} from "../../nn/model-rotation.ts";
import { hasIndependentGroups } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { choosePrecision } from "../../training/choose-precision.ts";
import type { Parameter } from "../../training/parameter.ts";
import type { TrainingOutcome } from "../../training/training-loop.ts";
import { UsageError } from "../../util/errors.ts";
import {
  type Budget,
  defineMethod,
  type LearnedRotation,
  type RotationLearning,
  type TrainingData,
  type TrainingEffort,
} from "../define-method.ts";
import { drawOptions, drawRotation } from "../shared/draw-rotation.ts";
import { count, countIfGiven, flag, positive, share } from "../shared/option-kinds.ts";
import { RoundedNetwork } from "../shared/rounded-network.ts";
import { trainOnWindows } from "../shared/train-parameters.ts";

const options = z.object({
  ...drawOptions,
  steps: count(100, "steps of learning, over all windows in an order of its own each time"),
  batch: count(8, "windows a step"),
  learningRate: positive(1.5, "largest step of a rotation; falls to 0 in a line"),
  momentum: share(0, "factor on the momentum of earlier steps"),
  heldOut: countIfGiven(
    "windows put aside, by which the best state is kept (unless given: one in 8, at most 4)",
  ),
  windowsAtOnce: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe("windows of a step in memory at once, to the same result (unless given: all)"),
  recompute: flag(true, "compute blocks again for their gradients: less memory, more time"),
  checkpointEvery: count(10, "steps between two states that an interrupted run can resume from"),
});

type Options = z.output<typeof options>;

/**
 * SpinQuant (arXiv 2405.16406, section 3; facebookresearch/SpinQuant), the rotations that are folded
 * into the weights: R1 of the residual stream and R2 of the values of each block begin as QuaRot draws
 * them, and are learned by Cayley SGD (arXiv 2002.01113), to make the language-model loss small of the
 * network whose weights, and inputs where the scheme says so, are rounded to nearest. Weights stay
 * as they are. Windows that are put aside say which state is kept, the start included.
 *
 * Deviations from the authors' code: nothing is rotated while the model runs (R3, R4); gradients pass
 * straight through the rounding, and none reaches its ranges; a matrix that has been moved is made
 * orthogonal again at each step, theirs at one in a hundred by chance; keys and values of attention
 * are not rounded.
 */
export default defineMethod({
  id: "spinquant",
  title: "SpinQuant",
  summary: "rotates the residual stream, learned by the rounded model's loss",
  role: "transform",
  paper: { arxiv: "2405.16406" },
  needs: { statistics: [] },
  supports: (scheme) => scheme.blocks !== null || hasIndependentGroups(scheme),
  caution: ({ grid, id }) =>
    grid.zeroPoint === "float16"
      ? `what SpinQuant learns is for rounding to nearest; ${id} is for HQQ, which chooses otherwise`
      : null,
  options,
  effort,
  budget,
  rotateModel: drawRotation,
  learnRotation,
});

function effort(chosen: Options, { windows, window }: TrainingData): TrainingEffort {
  const { steps, batch, windowsAtOnce = batch, recompute } = chosen;
  heldOutOf(chosen, windows);
  return {
    steps,
    microBatchTokens: batch * window,
    tokensAtOnce: Math.min(batch, windowsAtOnce) * window,
    accumulation: 1,
    recompute,
    moments: "f32",
    trainsWeights: true,
  };
}

/** Without windows put aside what is learned may fit its text and nothing else. */
function budget(chosen: Options, { data: { windows } }: Budget): string | null {
  if (heldOutOf(chosen, windows) > 0) return null;
  return (
    `SpinQuant judges its rotations by windows that it learns on, as there are only ${windows}: use ` +
    "`samples` of 8 or more, or `heldOut`"
  );
}

/** Windows that are put aside to judge by. @throws UsageError when none is left then */
function heldOutOf({ heldOut }: Options, windows: number): number {
  const aside = heldOut ?? Math.min(4, Math.floor(windows / 8));
  if (aside < windows) return aside;
  throw new UsageError(
    `${aside} of ${windows} windows are put aside, and none is left to learn on`,
    { hint: "give more text, or a smaller `heldOut`", field: "options.heldOut", value: aside },
  );
}

async function learnRotation(problem: RotationLearning<Options>): Promise<LearnedRotation> {
  const learned = await startOf(problem);
  const opened: RoundedNetwork[] = [];
  try {
    const progress = await learn(problem, learned, async () => {
      if (opened.length === 0) opened.push(await openNetwork(problem, learned));
      return opened[0];
    });
    return { rotation: await rotationOf(problem, learned), progress };
  } finally {
    for (const network of opened) network.release();
    for (const { value } of learned.values()) value.release();
  }
}

/** Trains the rotations; the network is opened where a loss is asked for. */
function learn(
  problem: RotationLearning<Options>,
  learned: Learned,
  open: () => Promise<RoundedNetwork>,
): Promise<TrainingOutcome> {
  const { options: chosen, keepsOnes, backend, windows } = problem;
  const { steps, batch: size, learningRate, momentum, checkpointEvery } = chosen;
  const { windowsAtOnce, recompute } = chosen;
  const memory = { recompute, windowsAtOnce, precision: choosePrecision("auto", backend) };
  return trainOnWindows(
    { ...problem, targets: null },
    {
      parameters: [...learned.values()],
      optimizer: {
        kind: "cayley",
        groups: { stream: { learningRate, keepsOnes }, values: { learningRate } },
        momentum,
      },
      length: { steps, order: "shuffled" },
      size,
      schedule: { kind: "linear" },
      checkpointEvery,
      heldOut: heldOutOf(chosen, windows.length),
      loss: async (batch, parameters) => {
        const network = await open();
        return network.loss(batch, parameters.length === 0 ? [] : [...learned.keys()], memory);
      },
    },
  );
}

/** Loads the network, which follows the rotations. */
async function openNetwork(
  { load, report, tensors, schemeOf }: RotationLearning<Options>,
  learned: Learned,
): Promise<RoundedNetwork> {
  report("weights");
  const rotations = (by: Turn["by"]) => learned.get(by)?.value ?? null;
  return new RoundedNetwork({ model: await load(), tensors, schemeOf, rotations });
}

type Learned = ReadonlyMap<Turn["by"], Parameter>;

/** The rotations as matrices, as they begin. */
async function startOf({
  start: { stream, values },
  blocks,
  backend,
}: RotationLearning<Options>): Promise<Learned> {
  const matrix = async ({ size, turnRows }: Rotation): Promise<Tensor<"f32">> => {
    const rows = new Float32Array(size ** 2);
    for (let at = 0; at < rows.length; at += size + 1) rows[at] = 1;
    await turnRows(rows);
    return Tensor.from(backend, "f32", [size, size], rows);
  };
  const learned = new Map<Turn["by"], Parameter>();
  learned.set("stream", { name: "stream", value: await matrix(stream), group: "stream" });
  for (let block = 0; block < blocks; block++) {
    const own = values(block);
    if (!own) continue;
    learned.set(block, { name: `values.${block}`, value: await matrix(own), group: "values" });
  }
  return learned;
}

/** The rotations by the matrices as they are now. */
async function rotationOf(
  { backend }: RotationLearning<Options>,
  learned: Learned,
): Promise<ModelRotation> {
  const found = new Map<Turn["by"], Rotation>();
  for (const [by, { value }] of learned) {
    found.set(by, denseRotation(backend, value.shape[0] ?? 0, await value.read()));
  }
  return {
    stream: found.get("stream") as Rotation,
    values: (block) => found.get(block) ?? null,
  };
}
