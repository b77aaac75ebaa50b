import type { FixedRounding } from "../backend/integer-kernels.ts";
import type { IntegerOutput } from "../backend/integer-weight.ts";
import { type ActivationParameters, tokenZeroPoint } from "../quant/activation-grid.ts";
import { type FixedPoint, toFixedPoint } from "../quant/fixed-point.ts";
import {
  integerLinear,
  integerLinearRounded,
  type IntegerRowsRounded,
} from "../tensor/integer-only-ops.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { roundHalfEven } from "../util/rounding.ts";
import { addIntegerBias, zeroPointOffsets } from "./integer-linear.ts";
import type { IntegerRows } from "./linear.ts";

/** Codes that stand for the magnitude of a row that is rounded by it. */
export const rowLevels = 127;

/** Units of what goes into a layer and what comes out: what an int32 of 1 stands for. */
interface LinearUnits {
  readonly input: number;
  readonly output: number;
}

/** A factor in fixed point, whatever its size; one of 2^29 and more saturates anyway. */
export function factorOf(factor: number): FixedPoint {
  return toFixedPoint(Math.min(factor, 2 ** 29), 62);
}

/** How int32 inputs of a unit become codes of a calibrated scale; null for those of their own. */
export function roundingOf(unit: number, input: ActivationParameters | null): FixedRounding | null {
  return input && { ...factorOf(unit / input.scale), zeroPoint: input.zeroPoint };
}

/**
 * A linear layer between int32 values: of 8-bit weights and 8-bit inputs, sums in int32. Where its
 * scheme has a calibrated output, that is rounded to 8 bits first, as the checkpoint says (Jacob et
 * al., arXiv 1712.05877); otherwise sums go to the unit of the output at once, with a magnitude a
 * token where inputs have one (DI-MatMul of I-LLM, arXiv 2405.17849).
 */
export class IntegerOnlyLinear {
  readonly outFeatures: number;
  /** Calibrated scale of the input; null where each row has its own. */
  readonly input: ActivationParameters | null;
  private readonly rows: IntegerRows;
  private readonly offsets: Int32Array;
  private readonly wide: Omit<Extract<IntegerOutput, { kind: "wide" }>, "kind" | "factors">;
  private readonly rounded: Extract<IntegerOutput, { kind: "requantize" }> | null = null;
  private readonly widening: FixedRounding | null = null;

  constructor(rows: IntegerRows, units: LinearUnits) {
    const { weight, activations, rowScales, bias } = rows;
    const { input = null, output = null } = activations ?? {};
    this.rows = rows;
    this.outFeatures = weight.outFeatures;
    this.input = input;
    this.offsets = zeroPointOffsets(weight, input?.zeroPoint ?? tokenZeroPoint);
    const step = input?.scale ?? units.input / rowLevels;
    this.wide = {
      ...factorsOf(rowScales, step / units.output),
      bias: Int32Array.from(bias ?? new Float32Array(weight.outFeatures), (b) =>
        roundHalfEven(b / units.output),
      ),
    };
    if (!output) return;
    if (bias) addIntegerBias(this.offsets, bias, step, rowScales);
    const { zeroPoint, scale } = output;
    this.rounded = { kind: "requantize", ...factorsOf(rowScales, step / scale), zeroPoint };
    this.widening = { ...factorOf(scale / units.output), zeroPoint };
  }

  /** Maps codes `[T, inFeatures]` to `[T, outFeatures]` i32. */
  forward(inputs: IntegerRowsRounded): Tensor<"i32"> {
    const { rows, offsets, rounded, widening } = this;
    return rounded && widening
      ? integerLinearRounded(inputs, rows.weight, offsets, rounded, widening)
      : integerLinear(inputs, rows.weight, offsets, this.wide);
  }
}

function factorsOf(
  rowScales: Float32Array,
  factor: number,
): { readonly multipliers: Int32Array; readonly shifts: Int32Array } {
  const factors = Array.from(rowScales, (scale) => factorOf(scale * factor));
  return {
    multipliers: Int32Array.from(factors, ({ multiplier }) => multiplier),
    shifts: Int32Array.from(factors, ({ shift }) => shift),
  };
}

/**
 * Returns a unit in which the outputs of a layer surely fit `bits` bits: by its calibrated output,
 * or by the longest row of `W ∘ gains` times the length that inputs have at most before the gains
 * (Cauchy and Schwarz), with room for their rounding.
 * @param gains `[inFeatures]`, what normalised inputs are multiplied by
 */
export function outputUnit(rows: IntegerRows, gains: Float32Array, bits: number): number {
  const { weight, rowScales, bias, activations } = rows;
  if (activations?.output) return activations.output.scale / 2 ** (bits - 8);
  const { inFeatures, outFeatures, values } = weight;
  const length = Math.sqrt(inFeatures);
  let largest = 0;
  for (let row = 0; row < outFeatures; row++) {
    let squares = 0;
    for (let k = 0; k < inFeatures; k++) squares += (values[row * inFeatures + k] * gains[k]) ** 2;
    const bound = room * length * rowScales[row] * Math.sqrt(squares) + Math.abs(bias?.[row] ?? 0);
    largest = Math.max(largest, bound);
  }
  return (largest || 1) / 2 ** bits;
}

const room = 1.25;
