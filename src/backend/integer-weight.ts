import type { TensorView } from "./tensor-view.ts";

/** A weight `[outFeatures, inFeatures]` of 8-bit integers, one scale a row, for integer kernels. */
export interface IntegerWeight {
  readonly outFeatures: number;
  /** At most 65,536, so that sums of products fit an int32. */
  readonly inFeatures: number;
  /** `[outFeatures, inFeatures]` */
  readonly values: Int8Array;
}

/** Largest number of products that an int32 surely holds: 65,536 · 255 · 128 < 2^31. */
export const largestIntegerWidth = 65536;

/**
 * How the sums `[T, outFeatures]` are turned into outputs:
 * - `requantize`: 8-bit codes `clip(zeroPoint + M_r·sum, 0, 255)`, with `M_r` in fixed point (see
 *   `quant/fixed-point.ts`); `multipliers` and `shifts` are `[outFeatures]`;
 * - `scale`: float32 `rowScales[r] · tokenScales[t] · sum`, rounded after each step, the scales
 *   first;
 * - `wide`: int32 `M·sum + bias[r]`, with `M = M_r`, or `M_r · factors[t]` where rows of the input
 *   have magnitudes of their own; saturating.
 */
export type IntegerOutput =
  | {
      readonly kind: "requantize";
      readonly multipliers: Int32Array;
      readonly shifts: Int32Array;
      readonly zeroPoint: number;
    }
  | {
      readonly kind: "scale";
      /** `[outFeatures]` */
      readonly rowScales: Float32Array;
      /** `[T]` f32 */
      readonly tokenScales: TensorView;
    }
  | {
      readonly kind: "wide";
      readonly multipliers: Int32Array;
      readonly shifts: Int32Array;
      /** `[outFeatures]` */
      readonly bias: Int32Array;
      /** `[T, 2]` i32: multipliers and shifts; null for none. */
      readonly factors: TensorView | null;
    };
