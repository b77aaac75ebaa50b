import type { RangeRule } from "../backend/training-kernels.ts";
import { roundingErrors } from "../tensor/rounding-ops.ts";
import { Tensor } from "../tensor/tensor.ts";

/** A weight whose ranges are searched. */
export interface RangeSearch {
  /** `[rows, columns]` */
  readonly weight: Tensor<"f32">;
  /** Ranges of its groups, zero within, `[rows, groups]` each. */
  readonly low: Tensor<"f32">;
  readonly high: Tensor<"f32">;
  /** Columns a group; the last group of a row may be shorter. */
  readonly groupSize: number;
  /** Importance of the columns for the errors of their weights, `[columns]`; null: all alike. */
  readonly importance: Float32Array | null;
  readonly how: RangeRule;
}

/** Shares of both sides of each range that are kept, `[rows, groups]` each. */
export interface RangeShares {
  readonly low: Float32Array;
  readonly high: Float32Array;
}

const step = 0.02;
const candidates = 40;
/** How many steps around the share of both sides those of one side are tried. */
const around = 8;

/**
 * Finds for each group the shares of its range with the least `Σ importance·(ŵ − w)²`: of both sides
 * alike first, from 1 to 0.22 in steps of 0.02; of asymmetric ranges then that of each side alone,
 * within 8 steps. The earliest on ties; no group is worse than with its whole range.
 */
export async function searchRanges(search: RangeSearch): Promise<RangeShares> {
  const { low, weight, importance } = search;
  const { backend } = weight;
  const best = {
    low: new Float32Array(low.size).fill(1),
    high: new Float32Array(low.size).fill(1),
    errors: new Float32Array(low.size).fill(Number.POSITIVE_INFINITY),
  };
  const columns = importance && Tensor.from(backend, "f32", [importance.length], importance);
  const attempt = async (shares: RangeShares): Promise<void> => {
    const errors = await errorsOf(search, columns, shares);
    for (const [i, error] of errors.entries()) {
      if (!(error < best.errors[i])) continue;
      best.errors[i] = error;
      best.low[i] = shares.low[i];
      best.high[i] = shares.high[i];
    }
  };
  for (let i = 0; i < candidates; i++) {
    const share = new Float32Array(low.size).fill(1 - i * step);
    await attempt({ low: share, high: share });
  }
  for (const side of search.how.kind === "asymmetric" ? (["low", "high"] as const) : []) {
    const before = { low: best.low.slice(), high: best.high.slice() };
    for (let i = -around; i <= around; i++) {
      if (i === 0) continue;
      const moved = before[side].map((share) => Math.min(1, Math.max(step, share + i * step)));
      await attempt({ ...before, [side]: moved });
    }
  }
  columns?.release();
  return best;
}

async function errorsOf(
  { weight, low, high, groupSize, how }: RangeSearch,
  importance: Tensor<"f32"> | null,
  shares: RangeShares,
): Promise<Float32Array> {
  const [lowFactors, highFactors] = [shares.low, shares.high].map((values) =>
    Tensor.from(weight.backend, "f32", low.shape, values.slice()),
  );
  const ranges = { low, high, lowFactors, highFactors, groupSize };
  const errors = roundingErrors(weight, importance, ranges, how);
  const found = await errors.read();
  for (const tensor of [errors, lowFactors, highFactors]) tensor.release();
  return found;
}
