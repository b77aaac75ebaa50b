import { Linear } from "../../nn/linear.ts";
import type { OneBitLinear } from "../../nn/one-bit-linear.ts";
import type { TrainableModel } from "../../nn/trainable-model.ts";
import { cast } from "../../tensor/ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { halvesToFloats } from "../../util/half.ts";

/** Sizes of float weights at most, where they follow other weights. */
const largest = 4;
/** The same of those whose sign is not that of the other weight. */
const turned = 0.1;

/** Float weights `[out, in]` of one size that have the signs of a packed layer. */
export function equalLatents({ weight }: OneBitLinear, magnitude: number): Float32Array {
  const codes = weight.unpackCodes();
  const latents = new Float32Array(codes.length);
  for (let at = 0; at < latents.length; at++)
    latents[at] = codes[at] === 1 ? magnitude : -magnitude;
  return latents;
}

/**
 * Float weights `[out, in]` that have the signs of a packed layer, and sizes as weights W do beside
 * its scales: `magnitude·|W|/(h·gᵀ)`, 4 times that magnitude at most, and a tenth of it where W has the
 * other sign. What is near zero there is near a change of sign here.
 */
export function latentsLike(
  layer: OneBitLinear,
  original: Float32Array,
  magnitude: number,
): Float32Array {
  const { inFeatures, parts } = layer.weight;
  const rows = halvesToFloats(parts.scales);
  const columns = halvesToFloats(parts.inputScales ?? new Uint16Array(inFeatures));
  const latents = equalLatents(layer, magnitude);
  for (let row = 0, at = 0; at < latents.length; row++) {
    for (let j = 0; j < inFeatures; j++, at++) {
      const ratio = original[at] / (rows[row] * columns[j]);
      if (!Number.isFinite(ratio)) continue;
      latents[at] *= ratio * latents[at] < 0 ? turned : Math.min(Math.abs(ratio), largest);
    }
  }
  return latents;
}

/** The float weights of a model's linears of this shape by name; null for one that has none. */
export function floatWeights(
  model: TrainableModel,
): (module: string, shape: readonly number[]) => Promise<Float32Array | null> {
  const layers = new Map(model.linears.map(({ module, at }) => [module, at.layer]));
  return async (module, shape) => {
    const layer = layers.get(module);
    if (!(layer instanceof Linear) || !(layer.weight instanceof Tensor)) return null;
    const { weight } = layer;
    if (weight.shape.some((length, i) => length !== shape[i])) return null;
    const values = cast(weight, "f32");
    const read = await values.read();
    values.release();
    return read;
  };
}
