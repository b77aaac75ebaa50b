import type { InputStatistics } from "../../calibration/statistics/layer-inputs.ts";
import type { Block, ScaleGroup } from "../../nn/quantizable-model.ts";
import { channelCount, floatLinear, inputSlot } from "../../nn/scale-channels.ts";
import { largestByChannel } from "./channel-statistics.ts";

const smallest = 1e-5;

/** A block, and what was gathered of the inputs of its slots and gates. */
interface ObservedBlock {
  readonly block: Block;
  readonly statisticsOf: (slot: string) => InputStatistics | null;
}

/**
 * Returns SmoothQuant's factors for the channels of a group, from the largest inputs (`magnitudes`)
 * and weights; null where no input came.
 */
export async function smoothGroup(
  { block, statisticsOf }: ObservedBlock,
  group: ScaleGroup,
  alpha: number,
): Promise<Float32Array | null> {
  const channels = channelCount(block, group);
  const maxima = await statisticsOf(inputSlot(group))?.magnitudes?.maxima();
  if (!maxima) return null;
  const activations = largestByChannel(maxima, channels, group.channelOf);
  return smoothingFactors(activations, await weightMaxima(block, group, channels), alpha);
}

/** Returns `s_j = max|X_j|^α / max|W_j|^(1−α)`, both ≥ 1e-5; 1 for channels without input. */
export function smoothingFactors(
  activations: Float32Array,
  weights: Float32Array,
  alpha: number,
): Float32Array {
  return activations.map((activation, j) => {
    if (activation === 0) return 1;
    const weight = Math.max(weights[j], smallest);
    return Math.max(activation ** alpha / weight ** (1 - alpha), smallest);
  });
}

/** Largest |w| of each channel over all consumers of a group. */
async function weightMaxima(
  block: Block,
  group: ScaleGroup,
  channels: number,
): Promise<Float32Array> {
  const largest = new Float32Array(channels);
  for (const name of group.consumers) {
    const { weight, inFeatures } = floatLinear(block, name);
    const values = await weight.read();
    for (let at = 0; at < values.length; at++) {
      const column = at % inFeatures;
      const channel = group.channelOf ? group.channelOf[column] : column;
      largest[channel] = Math.max(largest[channel], Math.abs(values[at]));
    }
  }
  return largest;
}
