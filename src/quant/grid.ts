import type { StraightThrough } from "../backend/training-kernels.ts";
import type { PackingId } from "./packing.ts";

/** The scale of a group before training: `factor` times max|w|, mean|w| or max(w) − min(w). */
export interface ScaleStart {
  readonly of: "peak" | "mean" | "span";
  readonly factor: number;
}

/**
 * Rounding to whole steps within [low, high]: weights outside have no gradient, and the scale's is
 * the level there.
 */
export function roundWithin(low: number, high: number): StraightThrough {
  const within = { rule: "round", low, high, resolution: 1, shift: 0 } as const;
  return { ...within, lowSlope: low, highSlope: high, passOutside: false };
}

/** How float weights are trained to be values of a grid. */
export interface GridTraining {
  /** Forward rule and gradients. */
  readonly straightThrough: StraightThrough;
  /** `learned`: the scale is a parameter. `followed`: it is in every step what `start` says. */
  readonly scale: "learned" | "followed";
  readonly start: ScaleStart;
  /**
   * `Q_p`: the gradient of a learned scale is multiplied by 1/√(weights of the matrix · Q_p), so
   * that scales and weights move at like speeds (LSQ, arXiv 1902.08153, section 2.2); null leaves
   * it as it is.
   */
  readonly topLevel: number | null;
  /**
   * Whether learned scales are rounded so that two thirds of one are a float16 value, too: levels of
   * thirds are then the same weights as `{−1, 0, 1}·d` with a stored d.
   */
  readonly thirds?: boolean;
  /** A learned scale counts as this where it is smaller. */
  readonly leastScale: number;
}

/**
 * The finite set of values that a code can decode to, in units of the scale. Knows nothing of
 * bytes. Code c with zero point z is `origin + step · (c − z)`, or stands in a table.
 */
export interface Grid {
  /** Name within scheme ids. */
  readonly id: string;
  /** Nominal bits as written in scheme ids: 1, 1.58, 2, 3, 4, 8. */
  readonly bits: number;
  /** Number of codes. */
  readonly levels: number;
  /** Value of code 0 at zero point 0, in units of the scale. */
  readonly origin: number;
  /** Distance of neighbouring codes, in units of the scale; of a table the mean distance. */
  readonly step: number;
  /**
   * Values of the codes in units of the scale, rising, where they are not evenly spaced; such grids
   * have no zero points.
   */
  readonly values?: Float32Array;
  /**
   * Whether each row has values of its own, `levels` in float16, in the place of scales. Then
   * `origin` and `step` say nothing.
   */
  readonly codebook?: boolean;
  /**
   * Whether each group has a zero point of its own: an integer below `levels`, or any float16; or
   * an `offset`, which is added to the products of scale and value.
   */
  readonly zeroPoint: "none" | "integer" | "float16" | "offset";
  /** Packing that stores the codes; null where they lie in blocks together with their scales. */
  readonly packing: PackingId | null;
  /**
   * How a scale follows from the values without search: `range` covers [min, max] (zero included),
   * `span` covers it without zero, `magnitude` covers ±max|w|, `mean` sets the scale to mean|w|
   * (the least-squares scale of ±1).
   */
  readonly scaleRule: "range" | "span" | "magnitude" | "mean";
  /** Whether each column has a scale, too: `Ŵ[r, j] = scale[r] · value · inputScale[j]`. */
  readonly inputScales?: boolean;
  /**
   * Whether the products of the layer are normalised over `out` (LayerNorm without weight and
   * bias). Then no plain linear computes what the layer does.
   */
  readonly normalizedOutputs?: boolean;
  /** How weights are trained on this grid; null where they cannot be. */
  readonly training: GridTraining | null;
}

/** A grid whose codes and zero points are stored by themselves. */
export interface PlanarGrid extends Grid {
  readonly zeroPoint: "none" | "integer" | "float16";
  readonly packing: PackingId;
}

/** Decodes a code to a value in units of the scale; not for grids with a codebook. */
export function decodeCode({ values, origin, step }: Grid, code: number, zeroPoint = 0): number {
  return values ? values[code] : origin + step * (code - zeroPoint);
}
