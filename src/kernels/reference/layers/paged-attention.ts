import type { Kernels } from "../../../backend/kernels.ts";
import { floats, integers } from "../arrays.ts";
import { cacheReader, capScores, type ReadElement } from "./attention.ts";
import { softmaxInPlace } from "./softmax.ts";

/**
 * Causal grouped-query attention of rows of several texts over a pool of blocks; scores and sums
 * are float64.
 */
export const pagedAttention: Kernels["pagedAttention"] = (out, q, k, v, options) => {
  const [, heads = 0, headDim = 0] = q.shape;
  const [, kvHeads = 1] = k.shape;
  const { scale, softCap, window = Infinity, blockSize } = options;
  const [texts = 0, width = 0] = options.tables.shape;
  const [spans, tables] = [integers(options.spans), integers(options.tables)];
  const keyAt = cacheReader(k, options.keyScales, headDim);
  const valueAt = cacheReader(v, options.valueScales, headDim);
  let row = 0;
  for (let text = 0; text < texts; text++) {
    const table = tables.subarray(text * width, (text + 1) * width);
    for (let i = 0; i < spans[2 * text]; i++, row++) {
      const position = spans[2 * text + 1] + i;
      const slots = slotsSeen(table, blockSize, Math.max(0, position - window + 1), position);
      for (let head = 0; head < heads; head++) {
        const kvHead = Math.floor((head * kvHeads) / heads);
        const keys = slots.map((slot) => (slot * kvHeads + kvHead) * headDim);
        const start = (row * heads + head) * headDim;
        const query = floats(q).subarray(start, start + headDim);
        const weights = Float64Array.from(keys, (key) => scale * dot(query, keyAt, key));
        if (softCap) capScores(weights, softCap);
        softmaxInPlace(weights, 0, weights.length);
        mix(floats(out).subarray(start, start + headDim), weights, valueAt, keys);
      }
    }
  }
};

/** Slots of the keys from `first` to `last`. */
function slotsSeen(table: Int32Array, blockSize: number, first: number, last: number): number[] {
  return Array.from({ length: last + 1 - first }, (_, i) => {
    const key = first + i;
    return table[Math.floor(key / blockSize)] * blockSize + (key % blockSize);
  });
}

function dot(query: Float32Array, keyAt: ReadElement, key: number): number {
  let sum = 0;
  for (let i = 0; i < query.length; i++) sum += query[i] * keyAt(key + i);
  return sum;
}

function mix(
  out: Float32Array,
  weights: Float64Array,
  valueAt: ReadElement,
  keys: readonly number[],
): void {
  const sums = new Float64Array(out.length);
  for (const [j, key] of keys.entries()) {
    for (let i = 0; i < sums.length; i++) sums[i] += weights[j] * valueAt(key + i);
  }
  out.set(sums);
}
