import { LatentBlockScales } from "../quant/latent-block-scales.ts";
import type { LatentParameter } from "../quant/latent-weight.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import { add } from "../tensor/ops.ts";
import { linear } from "../tensor/products.ts";
import { decodePacked, roundScales } from "../tensor/training-ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { floatsToHalves, halvesToFloats } from "../util/half.ts";
import type { LinearLike } from "./linear.ts";

/** The smallest positive float16. */
const leastScale = 2 ** -24;

/** Scales that are learned in the place of those of a packed weight. */
interface LearnedScales {
  readonly learned: readonly LatentParameter[];
  /** As they are stored, in float32. */
  current(): { readonly scales: Tensor<"f32">; readonly offsets: Tensor<"f32"> | null };
  /** The bits with which they are stored. */
  freeze(): Promise<{ readonly scales: Uint16Array; readonly offsets: Uint16Array | null }>;
  release(): void;
}

/**
 * `y = x·Ŵᵀ + b` with packed codes and zero points, and scales that can be learned, under schemes of
 * blocks those of the blocks and their offsets: gradients flow to inputs and scales. These are
 * rounded to float16 on the way, gradients passing as if they were not, so that what is trained is
 * what `freeze` stores.
 */
export class RescaledLinear implements LinearLike {
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly weight: QTensor;
  private readonly scales: LearnedScales;
  private readonly bias: Tensor | null;

  /** Begins with the scales of a packed weight. */
  constructor(backend: Tensor["backend"], weight: QTensor, bias: Tensor | null) {
    this.weight = weight;
    this.bias = bias;
    this.outFeatures = weight.outFeatures;
    this.inFeatures = weight.inFeatures;
    const { blocks } = weight.scheme;
    this.scales = blocks
      ? LatentBlockScales.of(
          backend,
          blocks,
          weight.inFeatures / blocks.columns,
          weight.unpackBlockScales(),
        )
      : scalesOfGroups(backend, weight);
  }

  /** What training changes. */
  get learned(): readonly LatentParameter[] {
    return this.scales.learned;
  }

  forward(x: Tensor): Tensor<"f32"> {
    const { scales, offsets } = this.scales.current();
    const product = linear(x, decodePacked(this.weight.operand(), scales, offsets));
    return this.bias ? add(product, this.bias) : product;
  }

  /** Returns the packed weight with the scales as they are now. */
  async freeze(): Promise<QTensor> {
    const { scales, offsets } = await this.scales.freeze();
    return this.weight.withScales(scales, offsets);
  }

  release(): void {
    this.scales.release();
    this.bias?.release();
  }
}

/** The scales `[outFeatures, groups]` of a weight that stores them by themselves. */
function scalesOfGroups(
  backend: Tensor["backend"],
  { outFeatures, parts, scheme }: QTensor,
): LearnedScales {
  const thirds = scheme.grid.training?.thirds ?? false;
  const values = halvesToFloats(parts.scales);
  const latent = Tensor.from(backend, "f32", [outFeatures, values.length / outFeatures], values);
  return {
    learned: [{ role: "scales", value: latent }],
    current: () => ({ scales: roundScales(latent, leastScale, { thirds }), offsets: null }),
    freeze: async () => {
      const rounded = roundScales(latent, leastScale, { thirds });
      const scales = floatsToHalves(await rounded.read());
      rounded.release();
      return { scales, offsets: null };
    },
    release: () => latent.release(),
  };
}
