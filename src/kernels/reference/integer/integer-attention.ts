import type { IntegerAttentionOptions, RoundedRows } from "../../../backend/integer-kernels.ts";
import type { Kernels } from "../../../backend/kernels.ts";
import {
  bitLength,
  type FixedPoint,
  multiplyFactors,
  scaleInteger,
} from "../../../quant/fixed-point.ts";
import { codeProduct, integerExp } from "../../../quant/integer-functions.ts";
import { integers } from "../arrays.ts";

/** Bits by which exponentials are shifted before magnitudes multiply them. */
const weightShift = 8;

/** Keys that a query sees, as rows of the cache. */
interface Seen {
  readonly first: number;
  readonly count: number;
  /** Distance of rows in codes and factors, and where the head stands in a row. */
  readonly heads: number;
  readonly head: number;
}

/** Softmax attention over 8-bit queries, keys and values, by integers. */
export const integerAttention: Kernels["integerAttention"] = (out, q, k, v, options) => {
  const [batch = 0, length = 0, heads = 0, width = 0] = q.codes.shape;
  const [, capacity = 0, kvHeads = 0] = k.codes.shape;
  const { keyLength, window = Infinity } = options;
  for (let row = 0; row < batch * length * heads; row++) {
    const [token, head] = [Math.floor(row / heads), row % heads];
    const place = keyLength - length + (token % length);
    const first = Math.max(0, place - window + 1);
    const seen = {
      first: Math.floor(token / length) * capacity + first,
      count: place - first + 1,
      heads: kvHeads,
      head: Math.floor((head * kvHeads) / heads),
    };
    const powers = exponentials(q, row, k, seen, width, options);
    const target = integers(out).subarray(row * width, (row + 1) * width);
    mixValues(target, powers, v, seen);
  }
};

/** `integerExp` of the scores of one query, less the largest. */
function exponentials(
  queries: RoundedRows,
  row: number,
  keys: RoundedRows,
  seen: Seen,
  width: number,
  { score }: IntegerAttentionOptions,
): Float64Array {
  const query = (queries.codes.storage as Int8Array).subarray(row * width, (row + 1) * width);
  const codes = keys.codes.storage as Int8Array;
  const unit = multiplyFactors(factorAt(queries, row), score);
  const scores = new Float64Array(seen.count);
  let largest = -(2 ** 31);
  for (let j = 0; j < seen.count; j++) {
    const key = keyRow(seen, j);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += query[i] * codes[key * width + i];
    const { multiplier, shift } = multiplyFactors(unit, factorAt(keys, key));
    scores[j] = scaleInteger(sum, multiplier, shift);
    largest = Math.max(largest, scores[j]);
  }
  return scores.map((each) => integerExp(each - largest));
}

/** Sums of 8-bit weights times 8-bit values, over the sum of the exponentials. */
function mixValues(
  target: Int32Array,
  powers: Float64Array,
  values: RoundedRows,
  seen: Seen,
): void {
  const width = target.length;
  const codes = values.codes.storage as Int8Array;
  let total = 0;
  let most = 0;
  const weights = powers.map((power, j) => {
    total += power;
    const weight = Math.floor(power / 2 ** weightShift) * magnitudeAt(values, keyRow(seen, j));
    most = Math.max(most, weight);
    return weight;
  });
  const cut = Math.max(0, bitLength(most) - 24);
  const largest = Math.floor(most / 2 ** cut);
  target.fill(0);
  if (largest === 0) return;
  for (const [j, weight] of weights.entries()) {
    const code = Math.floor((510 * Math.floor(weight / 2 ** cut) + largest) / (2 * largest));
    if (code === 0) continue;
    const start = keyRow(seen, j) * width;
    for (let i = 0; i < width; i++) target[i] += code * codes[start + i];
  }
  const { multiplier, shift } = meanFactor(largest, cut, total);
  for (let i = 0; i < width; i++) target[i] = scaleInteger(target[i], multiplier, shift);
}

/** `largest · 2^(cut + 8)/(255 · 127 · total)`, with 28 bits of the quotient. */
function meanFactor(largest: number, cut: number, total: number): FixedPoint {
  const raised = 24 - bitLength(largest);
  const lowered = bitLength(total) - 22;
  const divisor = Math.floor(total / 2 ** lowered);
  const quotient = Math.floor((largest * 2 ** (raised + 28)) / divisor);
  const shift = raised + lowered - cut - weightShift - 3;
  return multiplyFactors({ multiplier: quotient, shift }, codeProduct);
}

function keyRow({ first, heads, head }: Seen, j: number): number {
  return (first + j) * heads + head;
}

function factorAt({ factors }: RoundedRows, row: number): FixedPoint {
  const pairs = integers(factors);
  return { multiplier: pairs[2 * row], shift: pairs[2 * row + 1] };
}

/** The magnitude itself, below 2^31. */
function magnitudeAt({ factors }: RoundedRows, row: number): number {
  const pairs = integers(factors);
  return Math.floor(pairs[2 * row] / 2 ** (31 + pairs[2 * row + 1]));
}
