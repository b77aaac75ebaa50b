import { Linear, type LinearLike, type LinearSlot } from "../../nn/linear.ts";
import { floatLinear } from "../../nn/scale-channels.ts";
import { FakeQuantized } from "../../quant/fake-quantized.ts";
import { FakeQuantizedBlocks } from "../../quant/fake-quantized-blocks.ts";
import type { LatentWeight } from "../../quant/latent-weight.ts";
import type { Parameter } from "../../training/parameter.ts";
import { runTraining } from "../../training/training-loop.ts";
import type { TrainingProgress } from "../../training/training-store.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import type { Scheme } from "../../quant/scheme.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { NumericError } from "../../util/errors.ts";
import { meanOf } from "../../util/sums.ts";
import type { QuantizedBlock, WholeBlockProblem } from "../define-method.ts";
import { chooseBlocks } from "./block-search.ts";
import { BlockLoss } from "./block-loss.ts";
import { freezeAll, latentParameters } from "./latent-weights.ts";
import { WindowPairs } from "./window-pairs.ts";

/** How a block is trained towards the outputs of the original one. */
export interface BlockTraining {
  readonly epochs: number;
  /** Windows a step. */
  readonly batch: number;
  /** Learning rates, by the mean step of the block's grids at the start. */
  readonly learningRates: (step: number) => { readonly weights: number; readonly scales: number };
  /** Share of the learning rates that is left at the end. */
  readonly finalRatio: number;
  /** Largest norm of the gradients; 0 leaves them as they are. */
  readonly clip: number;
  /** Windows that are held out; the last ones. */
  readonly validation: number;
  /** Epochs without a better validation after which training ends; 0: never. */
  readonly patience: number;
  readonly precision: "auto" | "f32" | "bf16";
}

/** One linear layer while it is trained. */
interface TrainedSlot {
  readonly slot: LinearSlot;
  readonly original: LinearLike;
  readonly weight: LatentWeight;
  /** The blocks that training begins with, as their search chose them; null where there are none. */
  readonly chosen: QTensor | null;
}

/**
 * Trains the linears of a block, seen as values of their grids, by the mean squared error of the
 * block's outputs, and packs them. Where the training diverges, or leaves the block worse than it
 * began, the values that it began with are kept instead.
 */
export async function trainBlock(
  problem: WholeBlockProblem<unknown>,
  training: BlockTraining,
): Promise<QuantizedBlock> {
  const { block } = problem;
  const pairs = WindowPairs.of(problem, training);
  const slots = await fakeQuantizeSlots(problem);
  const parameters = slots.flatMap(({ slot, weight }) =>
    latentParameters(`${block.name}.${slot.name}`, weight),
  );
  const rates = training.learningRates(await meanStep(slots));
  const loss = new BlockLoss(problem, parameters, training.precision);
  const pack = (): Promise<Map<string, QTensor>> =>
    freezeAll(slots.map(({ slot, weight }) => [slot.name, weight]));
  try {
    const start = await pack();
    for (const { slot, chosen } of slots) if (chosen) start.set(slot.name, chosen);
    const before = await loss.mean(pairs.judgedPairs());
    try {
      const progress = await train(problem, training, { pairs, parameters, loss, rates });
      const after = await loss.mean(pairs.judgedPairs());
      const figures = { ...figuresOf(progress), lossBefore: before, lossAfter: after };
      if (after <= before) return { weights: await pack(), figures };
      return { weights: start, figures, fallback: worseThanBefore(before, after) };
    } catch (error) {
      if (!(error instanceof NumericError)) throw error;
      return {
        weights: start,
        figures: { lossBefore: before },
        fallback: `${keptStart}: ${error.message}`,
      };
    }
  } finally {
    pairs.release();
    for (const { slot, original, weight } of slots) {
      slot.layer = original;
      weight.releaseLearned();
    }
  }
}

const keptStart = "the values that the training began with are kept";

function worseThanBefore(before: number, after: number): string {
  return (
    `${keptStart}: it ended at a loss of ${after.toPrecision(4)}, ` +
    `from ${before.toPrecision(4)}; try a lower learning rate`
  );
}

/** What the steps of a block's training work with. */
interface BlockTools {
  readonly pairs: WindowPairs;
  readonly parameters: readonly Parameter[];
  readonly loss: BlockLoss;
  readonly rates: ReturnType<BlockTraining["learningRates"]>;
}

function train(
  { signal, report }: WholeBlockProblem<unknown>,
  training: BlockTraining,
  { pairs, parameters, loss, rates }: BlockTools,
): Promise<TrainingProgress> {
  const { clip, epochs, batch, patience } = training;
  const steps = Math.max(1, Math.ceil((epochs * pairs.count) / batch));
  const perEpoch = Math.ceil(pairs.count / batch);
  return runTraining({
    parameters,
    steps,
    clip: clip === 0 ? null : clip,
    schedule: { kind: "cosine", finalRatio: training.finalRatio },
    optimizer: {
      groups: {
        weights: { learningRate: rates.weights },
        scales: { learningRate: rates.scales },
      },
    },
    loss: async (step) => loss.ofBatch(await pairs.batch(step)),
    ...(pairs.heldOut > 0 && {
      validation: { every: perEpoch, measure: () => loss.mean(pairs.heldOutPairs()) },
    }),
    // A block begins close to its target, and the loss of a batch depends on its windows.
    guard: { margin: 1 },
    judgesEnd: false,
    onStep: ({ step }) => report(`step ${step}/${steps}`, step / steps),
    stop: (validations) => patience > 0 && stagnates(validations, patience),
    signal,
  });
}

/** Puts fake-quantized layers over the weights that are there. */
async function fakeQuantizeSlots({
  block,
  schemeOf,
  importanceOf = () => null,
}: WholeBlockProblem<unknown>): Promise<TrainedSlot[]> {
  const trained: TrainedSlot[] = [];
  for (const slot of block.slots) {
    const scheme = schemeOf(slot.name);
    if (!scheme) continue;
    const original = slot.layer;
    const { weight: master, bias } = floatLinear(block, slot.name);
    const latent = await latentWeight(master, scheme, importanceOf(slot.name));
    slot.layer = new Linear(master.backend, latent.weight, bias);
    trained.push({ slot, original, ...latent });
  }
  return trained;
}

/** A float weight seen as values of its scheme, with the scales that rounding would give it. */
async function latentWeight(
  master: Tensor<"f32">,
  scheme: Scheme,
  importance: Float32Array | null,
): Promise<Pick<TrainedSlot, "weight" | "chosen">> {
  if (!scheme.blocks) return { weight: await FakeQuantized.of(master, scheme), chosen: null };
  const chosen = await chooseBlocks(master, scheme, importance);
  const weight = FakeQuantizedBlocks.of(master, scheme, chosen.unpackBlockScales());
  return { weight, chosen };
}

/** Mean distance of neighbouring values of the grids, over all groups of a block. */
async function meanStep(slots: readonly TrainedSlot[]): Promise<number> {
  let sum = 0;
  let groups = 0;
  for (const { weight } of slots) {
    const scales = (await weight.groupScales?.read()) ?? new Float32Array();
    sum += weight.scheme.grid.step * scales.reduce((total, scale) => total + Math.abs(scale), 0);
    groups += scales.length;
  }
  return groups === 0 ? 0 : sum / groups;
}

/** Whether the last `patience` measurements brought nothing better than those before. */
function stagnates(validations: readonly { readonly loss: number }[], patience: number): boolean {
  const losses = validations.map(({ loss }) => loss);
  const earlier = losses.slice(0, -patience);
  return earlier.length > 0 && Math.min(...losses.slice(-patience)) >= Math.min(...earlier);
}

/** Mean losses of the first and the last twentieth of the steps, and what the validation gave. */
function figuresOf({ step, losses, validations }: TrainingProgress): Record<string, number> {
  const share = Math.max(1, Math.floor(losses.length / 20));
  const [first, last] = [validations[0], validations.at(-1)];
  return {
    steps: step,
    firstLoss: meanOf(losses.slice(0, share)),
    lastLoss: meanOf(losses.slice(-share)),
    ...(first && last && { firstValidation: first.loss, lastValidation: last.loss }),
  };
}
