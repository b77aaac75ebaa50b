import type { StraightThrough } from "../backend/training-kernels.ts";
import { roundWithin } from "../quant/grid.ts";
import { QTensor } from "../quant/q-tensor.ts";
import type { Scheme } from "../quant/scheme.ts";
import { add, layerNorm, multiply } from "../tensor/ops.ts";
import { linear } from "../tensor/products.ts";
import { Tensor } from "../tensor/tensor.ts";
import { fakeQuantize, roundToHalf } from "../tensor/training-ops.ts";
import { NumericError } from "../util/errors.ts";
import { floatsToHalves, halvesToFloats } from "../util/half.ts";
import type { LinearLike } from "./linear.ts";
import { type OneBitLinear, oneBitEpsilon } from "./one-bit-linear.ts";

/** Signs, with the slope 1.001 − tanh²(w) by the float weight; sign(0) = +1. */
const signs: StraightThrough = {
  ...roundWithin(-1, 1),
  rule: "sign",
  lowSlope: 0,
  highSlope: 0,
};

/**
 * OneBit's layer while it is trained: `y = LayerNorm(((x ⊙ g)·sign(W)ᵀ) ⊙ h) + b` with a float
 * weight W `[outFeatures, inFeatures]`, of which only the signs are seen, h `[outFeatures]` and g
 * `[inFeatures]`. Gradients pass the sign as if it had the slope 1.001 − tanh²(W); both vectors are
 * rounded to float16 on the way, so that what is trained is what `freeze` packs. Source: OneBit,
 * arXiv 2402.11295, sections 3.1 and 3.4.
 */
export class LatentOneBitLinear implements LinearLike {
  readonly scheme: Scheme;
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly weight: Tensor<"f32">;
  readonly scales: Tensor<"f32">;
  readonly inputScales: Tensor<"f32">;
  readonly bias: Tensor | null;

  /**
   * Begins with the vectors and the bias of a packed layer, which it takes over, and with float
   * weights `[outFeatures, inFeatures]` that have its signs.
   */
  constructor({ weight: packed, bias, inputScales }: OneBitLinear, values: Float32Array) {
    const { backend } = inputScales;
    const { outFeatures, inFeatures, parts } = packed;
    this.scheme = packed.scheme;
    this.outFeatures = outFeatures;
    this.inFeatures = inFeatures;
    this.weight = Tensor.from(backend, "f32", [outFeatures, inFeatures], values);
    this.scales = Tensor.from(backend, "f32", [outFeatures], halvesToFloats(parts.scales));
    this.inputScales = inputScales;
    this.bias = bias;
  }

  forward(x: Tensor): Tensor<"f32"> {
    const { weight, inFeatures, scales, inputScales, scheme, bias } = this;
    const groups = { scales: null, zeros: null, groupSize: inFeatures };
    const product = linear(
      multiply(x, roundToHalf(inputScales)),
      fakeQuantize(weight, groups, signs),
    );
    const scaled = multiply(product, roundToHalf(scales));
    const { normalizedOutputs } = scheme.grid;
    const output = normalizedOutputs ? layerNorm(scaled, null, null, oneBitEpsilon) : scaled;
    return bias ? add(output, bias) : output;
  }

  /** Packs signs and vectors. @throws NumericError when one of them is NaN or infinite */
  async freeze(): Promise<QTensor> {
    const { scheme, outFeatures, inFeatures } = this;
    const values = await this.weight.read();
    const scales = await this.scales.read();
    const inputScales = await this.inputScales.read();
    for (const array of [values, scales, inputScales]) expectFinite(array);
    return QTensor.pack(scheme, {
      outFeatures,
      inFeatures,
      codes: Uint8Array.from(values, (value) => (value >= 0 ? 1 : 0)),
      scales: floatsToHalves(scales),
      inputScales: floatsToHalves(inputScales),
    });
  }

  release(): void {
    this.weight.release();
    this.scales.release();
    this.inputScales.release();
    this.bias?.release();
  }
}

function expectFinite(values: Float32Array): void {
  if (values.every(Number.isFinite)) return;
  throw new NumericError("a trained weight or its scale is NaN or infinite", {
    hint: "training diverged: use a lower learning rate",
  });
}
