import type { Kernels, TensorView } from "../../../backend/kernels.ts";
import { fourBitCode, storedLength } from "../../../tensor/four-bit-rows.ts";
import { floats, reader } from "../arrays.ts";
import { softmaxInPlace } from "./softmax.ts";

/**
 * Causal grouped-query attention. Query i of `length` stands at position `keyLength − length + i`
 * and sees the keys up to there, or the last `window` of them; scores may be capped. Scores and
 * sums are float64; float16, int8 and 4-bit keys and values are read exactly.
 */
export const attention: Kernels["attention"] = (out, q, k, v, options) => {
  const [batch = 0, length = 0, heads = 0, headDim = 0] = q.shape;
  const [, capacity = 0, kvHeads = 1] = k.shape;
  const { keyLength, scale, window = Number.POSITIVE_INFINITY, softCap } = options;
  const stride = kvHeads * headDim;
  const keyAt = cacheReader(k, options.keyScales, headDim);
  const valueAt = cacheReader(v, options.valueScales, headDim);
  for (let row = 0; row < batch * length; row++) {
    const position = keyLength - length + (row % length);
    const first = Math.max(0, position - window + 1);
    const base = Math.floor(row / length) * capacity + first;
    for (let head = 0; head < heads; head++) {
      const kvHead = Math.floor((head * kvHeads) / heads);
      const query = (row * heads + head) * headDim;
      const keys = { start: base * stride + kvHead * headDim, stride, count: position + 1 - first };
      const weights = scoreKeys(floats(q), query, keyAt, keys, headDim, scale);
      if (softCap) capScores(weights, softCap);
      softmaxInPlace(weights, 0, weights.length);
      sumValues(floats(out).subarray(query, query + headDim), weights, valueAt, keys);
    }
  }
};

/** Reads an element of keys or values by its index. */
export type ReadElement = (index: number) => number;

/** Returns what reads keys or values of a cache. */
export function cacheReader(
  view: TensorView,
  scales: TensorView | undefined,
  headDim: number,
): ReadElement {
  if (view.dtype === "f32") {
    const values = floats(view);
    return (index) => values[index];
  }
  if (!scales) return reader(view);
  const steps = floats(scales);
  if (view.dtype === "u8") {
    const bytes = view.storage as Uint8Array;
    const width = storedLength("u8", headDim);
    return (index) => {
      const row = Math.floor(index / headDim);
      return fourBitCode(bytes, row * width, index % headDim, headDim) * steps[row];
    };
  }
  const codes = view.storage as Int8Array;
  return (index) => codes[index] * steps[Math.floor(index / headDim)];
}

interface KeyRange {
  /** Index of the first visible key's first element. */
  readonly start: number;
  /** Elements from one key to the next. */
  readonly stride: number;
  readonly count: number;
}

function scoreKeys(
  q: Float32Array,
  query: number,
  keyAt: ReadElement,
  keys: KeyRange,
  headDim: number,
  scale: number,
): Float64Array {
  const scores = new Float64Array(keys.count);
  for (let j = 0; j < keys.count; j++) {
    const key = keys.start + j * keys.stride;
    let sum = 0;
    for (let i = 0; i < headDim; i++) sum += q[query + i] * keyAt(key + i);
    scores[j] = sum * scale;
  }
  return scores;
}

/** `cap · tanh(s / cap)` for all scores, in place. */
export function capScores(scores: Float64Array, cap: number): void {
  for (let j = 0; j < scores.length; j++) scores[j] = cap * Math.tanh(scores[j] / cap);
}

function sumValues(
  out: Float32Array,
  weights: Float64Array,
  valueAt: ReadElement,
  keys: KeyRange,
): void {
  const sums = new Float64Array(out.length);
  for (let j = 0; j < keys.count; j++) {
    const value = keys.start + j * keys.stride;
    const weight = weights[j];
    for (let i = 0; i < sums.length; i++) sums[i] += weight * valueAt(value + i);
  }
  out.set(sums);
}
