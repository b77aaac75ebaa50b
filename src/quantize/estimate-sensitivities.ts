import type { PlannedLinear } from "../run/plan.ts";
import { usualLogitsAtOnce } from "../training/loss-by-rows.ts";
import { sum } from "../util/sums.ts";

/** Forward, again for the gradients, and gradients by inputs and by weights. */
const passesOfBlock = 4;
/** Logits, and gradients by what the head reads. */
const passesOfHead = 2;
/** Tokens that go through the model together. */
const passTokens = 2048;

/** Sizes that gradients by weights follow from. */
interface WeightGradientSize {
  /** Linears that are quantized. */
  readonly linears: readonly PlannedLinear[];
  /** Of the model. */
  readonly blocks: number;
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  /** Calibration tokens, as often as a block sees them. */
  readonly tokens: number;
}

/** Bytes of the squared gradients of all weights, in float32 on the disk. */
export function sensitivityBytes(
  linears: readonly Pick<PlannedLinear, "outFeatures" | "inFeatures">[],
): number {
  return 4 * sum(linears.map(({ inFeatures, outFeatures }) => inFeatures * outFeatures));
}

/** Operations of the products that gradients by all weights take. */
export function weightGradientFlops(size: WeightGradientSize): number {
  const { linears, hiddenSize, vocabularySize, tokens } = size;
  const ofBlocks = passesOfBlock * (sensitivityBytes(linears) / 4);
  return 2 * tokens * (ofBlocks + passesOfHead * hiddenSize * vocabularySize);
}

/**
 * Bytes of the gradients of a block for one window and their sums, of what tokens of a pass are in
 * front of each block, and of some rows of logits.
 */
export function weightGradientBytes(
  { blocks, hiddenSize, vocabularySize, tokens }: WeightGradientSize,
  blockBytes: number,
): number {
  const pass = Math.min(tokens, passTokens);
  const logits = 2 * Math.min(pass * vocabularySize, usualLogitsAtOnce);
  return 2 * blockBytes + 4 * (pass * (blocks + 2) * hiddenSize + logits);
}
