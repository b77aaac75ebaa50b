import type { PlannedLinear } from "../run/plan.ts";
import { usualLogitsAtOnce } from "../training/loss-by-rows.ts";
import { sum } from "../util/sums.ts";

/** Forward in both models; forward again, and gradients by inputs. */
const passesOfBlock = 4;
/** Logits of both models, and gradients by what the head reads. */
const passesOfHead = 3;
/** Tokens that go through the rest of a model together. */
const passTokens = 2048;

/** Sizes that gradients by the outputs of blocks follow from. */
interface OutputGradientSize {
  /** Linears that are quantized. */
  readonly linears: readonly PlannedLinear[];
  /** Of the model. */
  readonly blocks: number;
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  /** Calibration tokens, as often as a block sees them. */
  readonly tokens: number;
}

/** How often a window goes through a block for the gradients of all blocks that are quantized. */
export function outputGradientPasses({ linears, blocks }: OutputGradientSize): number {
  const quantized = [...new Set(linears.map(({ block }) => block))];
  return passesOfBlock * sum(quantized.map((block) => blocks - 1 - block));
}

/** Operations of the products that this takes. */
export function outputGradientFlops(size: OutputGradientSize): number {
  const { linears, hiddenSize, vocabularySize, tokens } = size;
  const weights = sum(linears.map(({ inFeatures, outFeatures }) => inFeatures * outFeatures));
  const quantized = new Set(linears.map(({ block }) => block)).size;
  const ofBlocks = outputGradientPasses(size) * (weights / quantized);
  const ofHead = passesOfHead * quantized * hiddenSize * vocabularySize;
  return 2 * tokens * (ofBlocks + ofHead);
}

/**
 * Bytes of a block behind that at work, of what tokens of a pass are in front of each block, and of
 * some rows of logits; the gradients themselves are activations.
 */
export function outputGradientBytes(
  { blocks, hiddenSize, vocabularySize, tokens }: OutputGradientSize,
  blockBytes: number,
): number {
  const pass = Math.min(tokens, passTokens);
  const logits = 3 * Math.min(pass * vocabularySize, usualLogitsAtOnce);
  return blockBytes + 4 * (pass * blocks * hiddenSize + logits);
}
