import type { PreparedOperand } from "./packed-operand.ts";
import type { TensorView } from "./tensor-view.ts";

/** The slope of `scale·sign(x)` that a backward pass takes: `base + peak` near 0, `base` beyond. */
export interface SignSlope {
  /** Slope where |x| is at most the bound. */
  readonly peak: "one" | "scale";
  /** Largest |x| that has that slope. */
  readonly bound: number;
  /** Whether the bound is in units of the row's `√mean(x²)`. */
  readonly isRelative: boolean;
  /** Slope that all x have besides. */
  readonly base: number;
}

/**
 * Kernels of values that are signs, sign(0) = +1. Sums of a row are eight sums in float64, of the
 * columns `i mod 8`, added in pairs: every backend gives the same bytes.
 */
export interface BinaryKernels {
  /** `means [rows] = mean|x|` of each row of x `[rows, n]`, float32. */
  rowMagnitudes(means: TensorView, x: TensorView): void;
  /** `out = scales[r]·sign(x)`, x `[rows, n]`, scales `[rows]`. `out` may be x. */
  signRows(out: TensorView, x: TensorView, scales: TensorView): void;
  /**
   * Gradients of `signRows`: `dX = dOut·slope(x)`, and unless null `dScales[r] = Σ dOut·sign(x)`.
   * `dX` may be `dOut`.
   */
  signRowsBackward(
    gradients: { readonly dX: TensorView; readonly dScales: TensorView | null },
    dOut: TensorView,
    x: TensorView,
    scales: TensorView,
    slope: SignSlope,
  ): void;
  /**
   * Changes weights `[rows, n]` in place: the mean of each row is taken off where `centres`, then
   * values are clipped to ±bound.
   */
  limitRows(weight: TensorView, centres: boolean, bound: number): void;
  /**
   * `out [T, outFeatures] = scale_r·K_t·(n − 2·differing signs)`: x `[T, n]` by its signs with a weight
   * of one bit and one scale a row. K is `mean|x|` of the token, or 1 unless `scalesTokens`. Exact but
   * for the products with the scales, `(scale·K)·sum`, each rounded to float32: every backend gives
   * the same bytes.
   */
  binaryMatmul(
    out: TensorView,
    x: TensorView,
    weight: PreparedOperand,
    scalesTokens: boolean,
  ): void;
}
