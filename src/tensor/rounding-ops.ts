import type { RangeRule, SignDescentOptions } from "../backend/training-kernels.ts";
import { expectShape } from "./shape.ts";
import { type Backward, openPrecision, record } from "./tape.ts";
import { emptyLike, Tensor } from "./tensor.ts";

/*
 * The ops of SignRound (arXiv 2309.05516) and OmniQuant (arXiv 2308.13137): weights whose rounding is
 * shifted, within ranges that are kept in part, factors, and signed gradient descent.
 */

/** What decides how weights `[rows, columns]` are rounded. */
export interface ShiftedRounding {
  /** `[rows, columns]`, added to weights in units of the scale before they are rounded. */
  readonly shifts: Tensor<"f32">;
  /** Ranges of groups, zero within, `[rows, groups]` each. */
  readonly low: Tensor<"f32">;
  readonly high: Tensor<"f32">;
  /** Shares of both sides that are kept, `[rows, groups]` each. */
  readonly lowFactors: Tensor<"f32">;
  readonly highFactors: Tensor<"f32">;
  /** Columns a group; the last group of a row may be shorter. */
  readonly groupSize: number;
}

/** Scales as they are stored, and zero points before they are rounded, `[rows, groups]` each. */
export interface RangeScales {
  readonly scales: Tensor<"f32">;
  readonly zeros: Tensor<"f32">;
}

/** The scales and zero points that follow from ranges; not recorded. */
export function scalesOfRanges(ranges: Ranges, how: RangeRule): RangeScales {
  const { low, high, lowFactors, highFactors } = ranges;
  for (const [what, { shape }] of Object.entries({ high, lowFactors, highFactors })) {
    expectShape(what, shape, low.shape);
  }
  const scales = emptyLike(low);
  const zeros = emptyLike(low);
  low.backend.kernels.rangeScales(scales, zeros, ranges, how);
  return { scales, zeros };
}

type Ranges = Pick<ShiftedRounding, "low" | "high" | "lowFactors" | "highFactors">;

/**
 * `Σ importance·(ŵ − w)²` of each group of weights `[rows, columns]` that are rounded to nearest within
 * ranges, `[rows, groups]`; the importance of columns is `[columns]`, 1 without. Not recorded.
 */
export function roundingErrors(
  weight: Tensor<"f32">,
  importance: Tensor<"f32"> | null,
  { groupSize, ...ranges }: Ranges & { readonly groupSize: number },
  how: RangeRule,
): Tensor<"f32"> {
  const [rows = 0, columns = 0] = weight.shape;
  expectShape("ranges", ranges.low.shape, [rows, Math.ceil(columns / groupSize)]);
  if (importance) expectShape("importance", importance.shape, [columns]);
  const { scales, zeros } = scalesOfRanges(ranges, how);
  const groups = { scales, zeros, offsets: null, shifts: null, groupSize };
  const errors = emptyLike(scales);
  const { kernels } = weight.backend;
  kernels.roundingErrors(errors, importance, weight, groups, how.rounding);
  for (const tensor of [scales, zeros]) tensor.release();
  return errors;
}

/**
 * The values `s·(clip(rne(w/s + v) + z) − z)` of weights `[rows, columns]` with shifts v, and s and z
 * by `RangeRule`, or those of a centred grid; gradients by the shifts and by both factors, straight through every rounding. bf16
 * within a recording in bfloat16 (the gradients stay f32), otherwise f32.
 */
export function roundShifted(
  weight: Tensor<"f32">,
  rounding: ShiftedRounding,
  how: RangeRule,
): Tensor<"f32" | "bf16"> {
  const { shifts, lowFactors, highFactors, groupSize } = rounding;
  const [rows = 0, columns = 0] = weight.shape;
  expectShape("shifts", shifts.shape, weight.shape);
  expectShape("ranges", rounding.low.shape, [rows, Math.ceil(columns / groupSize)]);
  const { kernels } = weight.backend;
  const { scales, zeros } = scalesOfRanges(rounding, how);
  const groups = { scales, zeros, offsets: null, shifts, groupSize };
  const out = Tensor.empty(weight.backend, openPrecision(), weight.shape);
  kernels.fakeQuantize(out, weight, groups, how.rounding);
  const backward: Backward = (dOut) => {
    const [dShifts, dScales, dZeros] = [emptyLike(shifts), emptyLike(scales), emptyLike(zeros)];
    const gradients = { dWeight: null, dScales, dZeros, dOffsets: null, dShifts };
    kernels.fakeQuantizeBackward(gradients, dOut, weight, groups, how.rounding);
    kernels.rangeScalesBackward(dScales, dZeros, dScales, dZeros, rounding, how);
    return [dShifts, dScales, dZeros];
  };
  const inputs = [shifts, lowFactors, highFactors];
  return record(out, inputs, backward, [...inputs, weight, scales, zeros]);
}

/** Least and largest weight of each group of `[rows, columns]`, zero within; not recorded. */
export function rangesOfGroups(
  weight: Tensor<"f32">,
  groupSize: number,
): { low: Tensor<"f32">; high: Tensor<"f32"> } {
  const [rows = 0, columns = 0] = weight.shape;
  const low = Tensor.empty(weight.backend, "f32", [rows, Math.ceil(columns / groupSize)]);
  const high = emptyLike(low);
  weight.backend.kernels.groupRanges(low, high, weight, groupSize);
  return { low, high };
}

/** Shares of the ranges of groups that are kept, `[rows, groups]` each. */
export type KeptShares = Pick<ShiftedRounding, "lowFactors" | "highFactors" | "groupSize">;

/**
 * The values `s·(clip(rne(w/s) + z) − z)` of weights `[rows, columns]`, or those of a centred grid, s
 * and z by `RangeRule` from what is kept of the ranges that the groups have now; gradients by weights, through the ends of
 * ranges too, and by both shares. They pass straight through the roundings of weights and scales, and
 * not through those of zero points (OmniQuant, arXiv 2308.13137, as released). bf16 within a
 * recording in bfloat16 (the gradients stay f32), otherwise f32.
 */
export function roundClipped(
  weight: Tensor<"f32">,
  { lowFactors, highFactors, groupSize }: KeptShares,
  how: RangeRule,
): Tensor<"f32" | "bf16"> {
  const { backend } = weight;
  const { kernels } = backend;
  const ranges = { ...rangesOfGroups(weight, groupSize), lowFactors, highFactors };
  const { scales, zeros } = scalesOfRanges(ranges, how);
  const groups = { scales, zeros, offsets: null, shifts: null, groupSize };
  const out = Tensor.empty(backend, openPrecision(), weight.shape);
  kernels.fakeQuantize(out, weight, groups, how.rounding);
  const backward: Backward = (dOut, [wantsWeight]) => {
    const dWeight = wantsWeight ? emptyLike(weight) : null;
    const [dLow, dHigh] = [emptyLike(scales), Tensor.zeros(backend, "f32", scales.shape)];
    const gradients = { dWeight, dScales: dLow, dZeros: null, dOffsets: null, dShifts: null };
    kernels.fakeQuantizeBackward(gradients, dOut, weight, groups, how.rounding);
    kernels.rangeScalesBackward(dLow, dHigh, dLow, dHigh, ranges, how);
    if (dWeight) kernels.groupRangesBackward(dWeight, dLow, dHigh, weight, ranges, groupSize);
    return [dWeight, dLow, dHigh];
  };
  const inputs = [weight, lowFactors, highFactors];
  return record(out, inputs, backward, [...inputs, ranges.low, ranges.high, scales, zeros]);
}

/** `1/(1 + e^−x)`, elementwise. */
export function sigmoid(x: Tensor<"f32">): Tensor<"f32"> {
  const out = emptyLike(x);
  x.backend.kernels.sigmoid(out, x);
  const backward: Backward = (dOut) => {
    const dX = emptyLike(x);
    x.backend.kernels.sigmoidBackward(dX, dOut, out);
    return [dX];
  };
  return record(out, [x], backward, [out]);
}

/** `1/x`, elementwise. */
export function reciprocal(x: Tensor<"f32">): Tensor<"f32"> {
  const out = emptyLike(x);
  x.backend.kernels.reciprocal(out, x);
  const backward: Backward = (dOut) => {
    const dX = emptyLike(x);
    x.backend.kernels.reciprocalBackward(dX, dOut, out);
    return [dX];
  };
  return record(out, [x], backward, [out]);
}

/** One step of signed gradient descent, in place: `TrainingKernels.signDescent`. */
export function moveBySign(
  value: Tensor<"f32">,
  moments: Tensor<"f32"> | null,
  gradient: Tensor<"f32">,
  options: SignDescentOptions,
): void {
  expectShape("gradient", gradient.shape, value.shape);
  if (moments) expectShape("moments", moments.shape, value.shape);
  value.backend.kernels.signDescent(value, moments, gradient, options);
}
