import type { IntegerOutput, IntegerWeight } from "../backend/integer-weight.ts";
import { type LayerActivations, tokenZeroPoint } from "../quant/activation-grid.ts";
import { toFixedPoint } from "../quant/fixed-point.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import {
  dequantizeActivations,
  quantizeActivations,
  requantizedLinear,
  scaledLinear,
} from "../tensor/integer-ops.ts";
import { add } from "../tensor/ops.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { halvesToFloats } from "../util/half.ts";
import { roundHalfEven } from "../util/rounding.ts";
import type { IntegerRows, LinearLike } from "./linear.ts";

const largestBias = 2 ** 30;

type Requantization = Extract<IntegerOutput, { kind: "requantize" }> & {
  readonly outputScale: number;
};

/**
 * A linear layer of 8-bit weights (one scale a row, no zero points) and 8-bit inputs, multiplied in
 * integers with sums in int32 (Jacob et al., arXiv 1712.05877). With a calibrated output the sums,
 * the bias included as int32, are rounded to 8 bits by fixed-point factors, and only then widened
 * for the float layer that follows; otherwise one multiplication turns each sum into a float, and
 * the bias is added to that.
 */
export class IntegerLinear implements LinearLike {
  readonly weight: QTensor;
  readonly bias: Tensor | null;
  readonly outFeatures: number;
  readonly inFeatures: number;
  private readonly values: IntegerWeight;
  private readonly rowScales: Float32Array;
  private readonly activations: LayerActivations | null;
  private readonly requantization: Requantization | null;
  /** Per row: the integer bias, less what the zero point of the inputs adds to the products. */
  private readonly offsets: Int32Array;

  private constructor(weight: QTensor, bias: Tensor | null, biasValues: Float32Array | null) {
    const { activations, scales } = weight.parts;
    this.weight = weight;
    this.bias = bias;
    this.outFeatures = weight.outFeatures;
    this.inFeatures = weight.inFeatures;
    this.values = integerWeight(weight);
    this.rowScales = halvesToFloats(scales);
    this.activations = activations;
    this.requantization = activations && requantizationOf(activations, this.rowScales);
    const zeroPoint = activations?.input.zeroPoint ?? tokenZeroPoint;
    const integerBias = activations?.output && biasValues;
    this.offsets = zeroPointOffsets(this.values, zeroPoint);
    if (integerBias)
      addIntegerBias(this.offsets, integerBias, activations.input.scale, this.rowScales);
  }

  /** Makes the layer; reads the bias `[outFeatures]` where it becomes an integer. */
  static async of(weight: QTensor, bias: Tensor | null = null): Promise<IntegerLinear> {
    const values = bias && weight.parts.activations?.output ? await bias.read() : null;
    return new IntegerLinear(weight, bias, values as Float32Array | null);
  }

  forward(x: Tensor): Tensor<"f32"> {
    const inputs = quantizeActivations(x, this.activations?.input ?? null);
    const { values, offsets, requantization } = this;
    if (requantization) {
      const outputs = requantizedLinear(inputs, values, offsets, requantization);
      return dequantizeActivations(outputs, requantization.zeroPoint);
    }
    const product = scaledLinear(inputs, values, offsets, this.rowScales);
    return this.bias ? add(product, this.bias) : product;
  }

  async integerRows(): Promise<IntegerRows> {
    const { values: weight, rowScales, activations } = this;
    const bias = (await this.bias?.read()) as Float32Array | undefined;
    return { weight, rowScales, activations, bias: bias ?? null };
  }

  release(): void {
    this.bias?.release();
  }
}

/** The rows of a packed weight of 8-bit integers, without a bias. */
export function integerRowsOf(weight: QTensor): IntegerRows {
  const { activations, scales } = weight.parts;
  return {
    weight: integerWeight(weight),
    rowScales: halvesToFloats(scales),
    bias: null,
    activations,
  };
}

/** Weights as signed integers, centred on the grid's zero. */
function integerWeight(weight: QTensor): IntegerWeight {
  const { outFeatures, inFeatures, scheme } = weight;
  const values = Int8Array.from(weight.unpackCodes(), (code) => code + scheme.grid.origin);
  return { outFeatures, inFeatures, values };
}

/** `−zeroPoint · Σ_k values[r, k]` of each row. */
export function zeroPointOffsets(weight: IntegerWeight, zeroPoint: number): Int32Array {
  const { inFeatures, values } = weight;
  return Int32Array.from({ length: weight.outFeatures }, (_, row) => {
    let sum = 0;
    for (let k = 0; k < inFeatures; k++) sum += values[row * inFeatures + k];
    return -zeroPoint * sum;
  });
}

/** Adds the bias in units of `S1·S2`, the scales of input and weight. */
export function addIntegerBias(
  offsets: Int32Array,
  bias: Float32Array,
  inputScale: number,
  rowScales: Float32Array,
): void {
  for (let row = 0; row < offsets.length; row++) {
    const units = roundHalfEven(bias[row] / (inputScale * rowScales[row]));
    offsets[row] += Math.min(Math.max(units, -largestBias), largestBias);
  }
}

/** `M_r = S1·S2_r/S3` in fixed point; null where outputs stay in floats. */
function requantizationOf(
  { input, output }: LayerActivations,
  rowScales: Float32Array,
): Requantization | null {
  if (!output) return null;
  const factors = Array.from(rowScales, (scale) =>
    toFixedPoint(Math.min((input.scale * scale) / output.scale, 2 ** 29)),
  );
  return {
    kind: "requantize",
    multipliers: Int32Array.from(factors, ({ multiplier }) => multiplier),
    shifts: Int32Array.from(factors, ({ shift }) => shift),
    zeroPoint: output.zeroPoint,
    outputScale: output.scale,
  };
}
