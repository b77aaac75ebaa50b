import type { Kernels } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";
import { capScores } from "./attention.ts";
import { softmaxInPlace } from "./softmax.ts";

/**
 * Gradients of causal grouped-query attention, a query at a time: with `p = softmax(scale·q·Kᵀ)`
 * and `dp = dOut·Vᵀ`, `ds = p·(dp − Σ p·dp)`, `dQ = scale·ds·K`, `dK += scale·ds·q`,
 * `dV += p·dOut`. Where scores are
 * capped, ds is times the slope of that, `1 − (capped score / cap)²`. Sums are float64.
 */
export const attentionBackward: Kernels["attentionBackward"] = (
  dQ,
  dK,
  dV,
  dOut,
  q,
  k,
  v,
  { scale, window = Number.POSITIVE_INFINITY, softCap = null },
) => {
  const [batch = 0, length = 0, heads = 0, headDim = 0] = q.shape;
  const [, , kvHeads = 1] = k.shape;
  const sums = { k: new Float64Array(floats(k).length), v: new Float64Array(floats(v).length) };
  for (let row = 0; row < batch * length; row++) {
    const position = row % length;
    const first = Math.max(0, position - window + 1);
    for (let head = 0; head < heads; head++) {
      const kvHead = Math.floor((head * kvHeads) / heads);
      const stride = kvHeads * headDim;
      const keys = {
        start: (row - position + first) * stride + kvHead * headDim,
        stride,
        count: position + 1 - first,
      };
      const query = (row * heads + head) * headDim;
      backQuery(floats(dQ), sums, floats(dOut), [floats(q), floats(k), floats(v)], {
        query,
        keys,
        headDim,
        scale,
        softCap,
      });
    }
  }
  floats(dK).set(sums.k);
  floats(dV).set(sums.v);
};

interface QueryOfHead {
  /** Index of the query's first element. */
  readonly query: number;
  readonly keys: { readonly start: number; readonly stride: number; readonly count: number };
  readonly headDim: number;
  readonly scale: number;
  readonly softCap: number | null;
}

function backQuery(
  dQ: Float32Array,
  sums: { readonly k: Float64Array; readonly v: Float64Array },
  dOut: Float32Array,
  [q, k, v]: readonly [Float32Array, Float32Array, Float32Array],
  { query, keys, headDim, scale, softCap }: QueryOfHead,
): void {
  const shares = dotKeys(q, query, k, keys, headDim).map((dot) => dot * scale);
  if (softCap) capScores(shares, softCap);
  const bends = softCap ? shares.map((score) => 1 - (score / softCap) ** 2) : null;
  softmaxInPlace(shares, 0, shares.length);
  const slopes = dotKeys(dOut, query, v, keys, headDim);
  const mean = slopes.reduce((sum, slope, j) => sum + slope * shares[j], 0);
  const row = new Float64Array(headDim);
  for (let j = 0; j < keys.count; j++) {
    const key = keys.start + j * keys.stride;
    const slope = scale * shares[j] * (slopes[j] - mean) * (bends?.[j] ?? 1);
    for (let i = 0; i < headDim; i++) {
      row[i] += slope * k[key + i];
      sums.k[key + i] += slope * q[query + i];
      sums.v[key + i] += shares[j] * dOut[query + i];
    }
  }
  dQ.set(row, query);
}

function dotKeys(
  x: Float32Array,
  at: number,
  rows: Float32Array,
  keys: QueryOfHead["keys"],
  headDim: number,
): Float64Array {
  const dots = new Float64Array(keys.count);
  for (let j = 0; j < keys.count; j++) {
    const key = keys.start + j * keys.stride;
    for (let i = 0; i < headDim; i++) dots[j] += x[at + i] * rows[key + i];
  }
  return dots;
}
