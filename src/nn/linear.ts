import type { Backend } from "../backend/backend.ts";
import type { IntegerWeight } from "../backend/integer-weight.ts";
import type { PackedOperand, PreparedOperand, Products } from "../backend/packed-operand.ts";
import type { LayerActivations } from "../quant/activation-grid.ts";
import { LatentWeight } from "../quant/latent-weight.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { add, rmsNorm } from "../tensor/ops.ts";
import { linear, normedPackedLinears, packedLinear } from "../tensor/products.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { UnsupportedError } from "../util/errors.ts";

/** Weights of 8-bit integers with a scale a row, and what is known of inputs and outputs. */
export interface IntegerRows {
  readonly weight: IntegerWeight;
  /** `[outFeatures]` */
  readonly rowScales: Float32Array;
  /** `[outFeatures]`; null without. */
  readonly bias: Float32Array | null;
  /** Calibrated scales and zero points; null where each token has its own. */
  readonly activations: LayerActivations | null;
}

/** Anything that stands in a linear slot of a model. */
export interface LinearLike {
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Maps x `[..., inFeatures]` to `[..., outFeatures]` f32; packed weights by `products`. */
  forward(x: Tensor, products?: Products): Tensor<"f32">;
  /** The packed weight, of a layer that does nothing but multiply by it. */
  readonly packed?: PreparedOperand | null;
  /** What a layer that multiplies 8-bit integers is made of; absent in others. */
  integerRows?(): Promise<IntegerRows>;
  /** Gives the memory of weights back, where it holds any; it must not be used afterwards. */
  release?(): void;
}

/** A named place in a block where a linear layer sits; methods may put another layer in. */
export interface LinearSlot {
  /** Name below the block, such as `self_attn.q_proj`. */
  readonly name: string;
  layer: LinearLike;
}

/** What a linear layer can multiply by: dense, packed, or dense and seen as values of a grid. */
export type LinearWeight = Tensor | QTensor | LatentWeight;

/** `y = x·Wᵀ + b`, with `W [outFeatures, inFeatures]`. */
export class Linear implements LinearLike {
  readonly weight: LinearWeight;
  readonly bias: Tensor | null;
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly packed: PreparedOperand | null;
  private readonly multiply: (x: Tensor, products: Products) => Tensor<"f32">;

  constructor(backend: Backend, weight: LinearWeight, bias: Tensor | null = null) {
    this.weight = weight;
    this.bias = bias;
    if (weight instanceof QTensor) {
      this.outFeatures = weight.outFeatures;
      this.inFeatures = weight.inFeatures;
      const operand: PreparedOperand = backend.prepare(plainOperand(weight));
      this.packed = bias ? null : operand;
      this.multiply = (x, products) => packedLinear(x, operand, products);
    } else if (weight instanceof LatentWeight) {
      this.packed = null;
      this.outFeatures = weight.outFeatures;
      this.inFeatures = weight.inFeatures;
      this.multiply = (x) => linear(x, weight.weights());
    } else {
      this.packed = null;
      this.outFeatures = weight.shape[0] ?? 0;
      this.inFeatures = weight.shape[1] ?? 0;
      this.multiply = (x) => linear(x, weight);
    }
  }

  forward(x: Tensor, products: Products = "exact"): Tensor<"f32"> {
    const product = this.multiply(x, products);
    return this.bias ? add(product, this.bias) : product;
  }

  /** Gives weight and bias back; not where another layer has taken one of them over. */
  release(): void {
    if (!(this.weight instanceof QTensor)) this.weight.release();
    this.bias?.release();
  }
}

/**
 * Describes a packed weight that is multiplied by, or whose rows are looked up, and nothing else.
 * @throws UnsupportedError when the weight has scales of its inputs or others beside its codes, or its
 *   products are normalised
 */
export function plainOperand(weight: QTensor): PackedOperand {
  const { grid, id, sparse } = weight.scheme;
  const isPlain = !grid.inputScales && !grid.normalizedOutputs && sparse === null;
  if (isPlain) return weight.operand();
  throw new UnsupportedError(`a weight of the scheme ${id} cannot stand here`, {
    hint: "it belongs into the linear layers of blocks",
  });
}

/**
 * Maps `RMSNorm(x)`, x `[..., inFeatures]`, through layers that share it as their input: in one
 * kernel where products are fast and all layers are packed alike, otherwise one after the other.
 */
export function forwardNormed(
  layers: readonly LinearLike[],
  x: Tensor,
  norm: { readonly weight: Tensor; readonly eps: number },
  products: Products,
): Tensor<"f32">[] {
  const operands = products === "fast" ? packedAlike(layers) : null;
  if (operands) return normedPackedLinears(x, norm.weight, norm.eps, operands);
  const normed = rmsNorm(x, norm.weight, norm.eps);
  return layers.map((layer) => layer.forward(normed, products));
}

const mostTogether = 3;

function packedAlike(layers: readonly LinearLike[]): PreparedOperand[] | null {
  const operands: PreparedOperand[] = [];
  for (const { packed } of layers) {
    if (!packed || packed.kind !== layers[0].packed?.kind) return null;
    operands.push(packed);
  }
  return operands.length <= mostTogether ? operands : null;
}
