import type { QTensor } from "../quant/q-tensor.ts";
import { add } from "../tensor/ops.ts";
import { linear } from "../tensor/products.ts";
import { decodePacked, roundScales } from "../tensor/training-ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { floatsToHalves, halvesToFloats } from "../util/half.ts";
import type { LinearLike } from "./linear.ts";

/** The smallest positive float16. */
const leastScale = 2 ** -24;

/**
 * `y = x·Ŵᵀ + b` with packed codes and zero points, and scales that can be learned: gradients flow
 * to inputs and scales. Scales are rounded to float16 on the way, gradients passing as if they were
 * not, so that what is trained is what `freeze` stores.
 */
export class RescaledLinear implements LinearLike {
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** `[outFeatures, groups]` */
  readonly scales: Tensor<"f32">;
  private readonly weight: QTensor;
  private readonly bias: Tensor | null;

  /** Begins with the scales of a packed weight. */
  constructor(backend: Tensor["backend"], weight: QTensor, bias: Tensor | null) {
    this.weight = weight;
    this.bias = bias;
    this.outFeatures = weight.outFeatures;
    this.inFeatures = weight.inFeatures;
    const values = halvesToFloats(weight.parts.scales);
    const shape = [weight.outFeatures, values.length / weight.outFeatures];
    this.scales = Tensor.from(backend, "f32", shape, values);
  }

  forward(x: Tensor): Tensor<"f32"> {
    const scales = roundScales(this.scales, leastScale);
    const product = linear(x, decodePacked(this.weight.operand(), scales));
    return this.bias ? add(product, this.bias) : product;
  }

  /** Returns the packed weight with the scales as they are now. */
  async freeze(): Promise<QTensor> {
    const rounded = roundScales(this.scales, leastScale);
    const values = await rounded.read();
    rounded.release();
    return this.weight.withScales(floatsToHalves(values));
  }

  release(): void {
    this.scales.release();
    this.bias?.release();
  }
}
