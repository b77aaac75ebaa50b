import type { FitOptions, Kernels } from "../../../backend/kernels.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../../util/half.ts";
import { roundHalfEven } from "../../../util/rounding.ts";
import { floats } from "../arrays.ts";
import { decodeWeight, encodeWeight } from "./grid-code.ts";

const { fround } = Math;
const smallestScale = 2 ** -24;
const largestScale = 65504;
/** Where the spacing of float16 reaches a whole step. */
const largestZero = 1024;

interface Fit {
  readonly scale: number;
  readonly zero: number;
}

/** What the scale rules need to know of the weights of a group. */
interface GroupRange {
  /** Least and largest weight. */
  readonly least: number;
  readonly most: number;
  /** The same with zero among the weights; −1 and 1 when all are zero. */
  readonly low: number;
  readonly high: number;
  readonly meanMagnitude: number;
}

/** Finds scale and zero point of one group a row, in float32; errors of a search in float64. */
export const fitColumns: Kernels["fitColumns"] = (scales, zeros, weight, options) => {
  const [rows = 0, n = 0] = weight.shape;
  const groups = scales.shape[1] ?? 1;
  for (let row = 0; row < rows; row++) {
    const group = floats(weight).subarray(row * n + options.start, row * n + options.end);
    const fit = fitGroup(group, options);
    floats(scales)[row * groups + options.group] = fit.scale;
    floats(zeros)[row * groups + options.group] = fit.zero;
  }
};

function fitGroup(weights: Float32Array, options: FitOptions): Fit {
  const { search, rule } = options;
  const range = measureRange(weights);
  const plain = applyRule(range, 1, options);
  if (!search) return plain;
  let best = plain;
  let least = gridError(weights, plain, options, search.norm);
  const widest = rule === "mean" ? 2.4 : 1;
  for (let i = rule === "mean" ? 0 : 1; i < search.candidates; i++) {
    const fit = applyRule(range, fround(widest * (1 - i * search.shrinkStep)), options);
    const error = gridError(weights, fit, options, search.norm);
    if (error < least) {
      best = fit;
      least = error;
    }
  }
  return best;
}

function measureRange(weights: Float32Array): GroupRange {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (const value of weights) {
    least = Math.min(least, value);
    most = Math.max(most, value);
    sum += Math.abs(value);
  }
  let [low, high] = [Math.min(least, 0), Math.max(most, 0)];
  if (low === 0 && high === 0) [low, high] = [-1, 1];
  return { least, most, low, high, meanMagnitude: fround(sum / weights.length) };
}

function applyRule(range: GroupRange, shrink: number, { rule, grid }: FitOptions): Fit {
  const steps = grid.levels - 1;
  if (rule === "mean") return { scale: roundScale(fround(range.meanMagnitude * shrink)), zero: 0 };
  const span = rule === "span" ? spanFit(range, shrink, steps) : null;
  if (span) return span;
  const low = fround(range.low * shrink);
  const high = fround(range.high * shrink);
  if (rule === "magnitude") {
    const widest = fround((2 * Math.max(-low, high)) / steps);
    return { scale: roundScale(fround(widest / grid.step)), zero: 0 };
  }
  const scale = roundScale(fround(fround(high - low) / steps));
  const zero = roundHalfEven(fround(-low / scale));
  return { scale, zero: Math.min(Math.max(zero, 0), steps) };
}

/** The fit of the rule `span`; null where it gives way to `range`. */
function spanFit(range: GroupRange, shrink: number, steps: number): Fit | null {
  const low = fround(range.least * shrink);
  const high = fround(range.most * shrink);
  if (!(high > low)) return null;
  const scale = roundScale(fround(fround(high - low) / steps));
  const zero = fround((0 - low) / scale);
  if (Math.abs(zero) > largestZero) return null;
  return { scale, zero: halfBitsToFloat(floatToHalfBits(zero)) };
}

function roundScale(scale: number): number {
  const rounded = halfBitsToFloat(floatToHalfBits(scale));
  return Math.min(Math.max(rounded, smallestScale), largestScale);
}

/** `Σ|ŵ − w|^norm` of a group under a fit. */
function gridError(weights: Float32Array, fit: Fit, { grid }: FitOptions, norm: number): number {
  let error = 0;
  for (const value of weights) {
    const code = encodeWeight(value, fit.scale, fit.zero, grid);
    const decoded = decodeWeight(code, fit.scale, fit.zero, grid);
    error += Math.abs(decoded - value) ** norm;
  }
  return error;
}
