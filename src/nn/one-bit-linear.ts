import type { Backend } from "../backend/backend.ts";
import type { PreparedOperand, Products } from "../backend/packed-operand.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import { add, layerNorm, multiply } from "../tensor/ops.ts";
import { packedLinear } from "../tensor/products.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UnsupportedError } from "../util/errors.ts";
import { halvesToFloats } from "../util/half.ts";
import type { LinearLike } from "./linear.ts";

/** What OneBit's LayerNorm adds to the variance. */
export const oneBitEpsilon = 1e-5;

/**
 * A linear layer with a scale for each input, `y = LayerNorm(((x ⊙ g)·Sᵀ) ⊙ h) + b`: S the packed
 * codes `[outFeatures, inFeatures]`, h `[outFeatures]` their row scales, g `[inFeatures]` the
 * scales of the inputs. The LayerNorm, over `outFeatures` and without weight and bias, is there
 * where the grid says so. Source: OneBit, arXiv 2402.11295, equation 3.
 */
export class OneBitLinear implements LinearLike {
  readonly weight: QTensor;
  readonly bias: Tensor | null;
  readonly outFeatures: number;
  readonly inFeatures: number;
  private readonly operand: PreparedOperand;
  readonly inputScales: Tensor<"f32">;

  /** @throws UnsupportedError when the weight has no scales of its inputs */
  constructor(backend: Backend, weight: QTensor, bias: Tensor | null = null) {
    const { inputScales } = weight.parts;
    if (!inputScales) {
      throw new UnsupportedError(`a weight of the scheme ${weight.scheme.id} has no input scales`);
    }
    this.weight = weight;
    this.bias = bias;
    this.outFeatures = weight.outFeatures;
    this.inFeatures = weight.inFeatures;
    this.operand = backend.prepare(weight.operand());
    const shape = [this.inFeatures];
    this.inputScales = Tensor.from(backend, "f32", shape, halvesToFloats(inputScales));
  }

  forward(x: Tensor, products: Products = "exact"): Tensor<"f32"> {
    const product = packedLinear(multiply(x, this.inputScales), this.operand, products);
    const { normalizedOutputs } = this.weight.scheme.grid;
    const output = normalizedOutputs ? layerNorm(product, null, null, oneBitEpsilon) : product;
    return this.bias ? add(output, this.bias) : output;
  }

  release(): void {
    this.inputScales.release();
    this.bias?.release();
  }
}
