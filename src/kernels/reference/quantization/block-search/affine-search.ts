import { clip, nearest } from "./single-rounding.ts";

const { fround } = Math;

/** Which ranges a search tries: `(first + step·k + top) / (high − low)` codes a unit, k ≤ last. */
export interface RangeTrials {
  readonly first: number;
  readonly step: number;
  readonly last: number;
  /** Whether errors count by their magnitude, not by their square. */
  readonly absolute: boolean;
}

/** Values of a group: `min + scale · code`. */
export interface AffineFit {
  readonly scale: number;
  /** At most 0. */
  readonly min: number;
}

interface WeightedRange {
  readonly low: number;
  readonly high: number;
  readonly sumOfWeights: number;
  readonly sumOfValues: number;
}

const trialCodes = new Uint8Array(32);

/**
 * Finds scale and minimum of a group of at most 32 values `x`, codes 0 to `top` and a minimum of at
 * most 0, with the least `Σ weight · error`, and its codes: of the plain range, and of the weighted
 * least squares for the codes that each trial gives.
 */
export function fitAffine(
  x: Float32Array,
  weights: Float32Array,
  top: number,
  trials: RangeTrials,
  codes: Uint8Array,
): AffineFit {
  const range = measure(x, weights);
  const { high } = range;
  if (!(high > range.low)) {
    codes.fill(0);
    return { scale: 0, min: range.low };
  }
  const inverse = fround(top / fround(high - range.low));
  let best: AffineFit = { scale: fround(1 / inverse), min: range.low };
  encode(x, best.min, inverse, top, codes);
  let least = errorOf(x, weights, codes, best, trials.absolute);
  const tried = trialCodes.subarray(0, x.length);
  for (let k = 0; k <= trials.last; k++) {
    const codesPerRange = fround(fround(trials.first + fround(trials.step * k)) + top);
    encode(x, best.min, fround(codesPerRange / fround(high - best.min)), top, tried);
    const fit = leastSquares(x, weights, tried, range);
    if (!fit) continue;
    const error = errorOf(x, weights, tried, fit, trials.absolute);
    if (error < least) {
      codes.set(tried);
      best = fit;
      least = error;
    }
  }
  return best;
}

function measure(x: Float32Array, weights: Float32Array): WeightedRange {
  let [low, high] = [x[0], x[0]];
  let [sumOfWeights, sumOfValues] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    if (x[i] < low) low = x[i];
    if (x[i] > high) high = x[i];
    sumOfWeights = fround(sumOfWeights + weights[i]);
    sumOfValues = fround(sumOfValues + fround(weights[i] * x[i]));
  }
  return { low: low > 0 ? 0 : low, high, sumOfWeights, sumOfValues };
}

function encode(
  x: Float32Array,
  min: number,
  inverse: number,
  top: number,
  codes: Uint8Array,
): void {
  for (let i = 0; i < x.length; i++) {
    codes[i] = clip(nearest(fround(inverse * fround(x[i] - min))), 0, top);
  }
}

/** Scale and minimum that fit given codes best; null where they do not determine them. */
function leastSquares(
  x: Float32Array,
  weights: Float32Array,
  codes: Uint8Array,
  { sumOfWeights, sumOfValues }: WeightedRange,
): AffineFit | null {
  let [ofCodes, ofSquares, ofProducts] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const weighted = fround(weights[i] * codes[i]);
    ofCodes = fround(ofCodes + weighted);
    ofSquares = fround(ofSquares + fround(weighted * codes[i]));
    ofProducts = fround(ofProducts + fround(weighted * x[i]));
  }
  const determinant = difference(sumOfWeights, ofSquares, ofCodes, ofCodes);
  if (!(determinant > 0)) return null;
  const min = fround(difference(ofSquares, sumOfValues, ofCodes, ofProducts) / determinant);
  if (min > 0) return { scale: fround(ofProducts / ofSquares), min: 0 };
  const scale = difference(sumOfWeights, ofProducts, sumOfValues, ofCodes);
  return { scale: fround(scale / determinant), min };
}

/** `a·b − c·d`. */
function difference(a: number, b: number, c: number, d: number): number {
  return fround(fround(a * b) - fround(c * d));
}

function errorOf(
  x: Float32Array,
  weights: Float32Array,
  codes: Uint8Array,
  { scale, min }: AffineFit,
  absolute: boolean,
): number {
  let error = 0;
  for (let i = 0; i < x.length; i++) {
    const off = fround(fround(fround(scale * codes[i]) + min) - x[i]);
    const cost = absolute ? Math.abs(off) : fround(off * off);
    error = fround(error + fround(weights[i] * cost));
  }
  return error;
}
