import { rowRanges } from "../../tensor/integer-ops.ts";
import { keep, type Tensor } from "../../tensor/tensor.ts";

/**
 * How a range is found from calibration tokens.
 *
 * - `min-max`: least and largest value of all;
 * - `moving-average`: those of each pass, averaged with a weight of 0.1 for each new pass (Jacob et
 *   al., arXiv 1712.05877, section 3.1, does so while training);
 * - `percentile`: values that the extremes of all but 0.1 % of the tokens stay within, on either
 *   side.
 */
export const rangeEstimators = ["min-max", "moving-average", "percentile"] as const;

/** Name of an estimator. */
export type RangeEstimator = (typeof rangeEstimators)[number];

const newWeight = 0.1;
const outsideShare = 0.001;

/** Extremes of the values of one tensor of a model over calibration, token by token. */
export class ActivationRanges {
  /** `[tokens, 2]` of each pass. */
  private passes: Tensor<"f32">[] = [];

  /** Takes in values `[..., n]` f32. */
  add(values: Tensor): void {
    this.passes.push(keep(rowRanges(values)));
  }

  /** Returns the range by an estimator; 0 to 0 when nothing was added. */
  async range(estimator: RangeEstimator): Promise<{ low: number; high: number }> {
    const passes = await Promise.all(this.passes.map(readExtremes));
    if (estimator === "percentile") {
      return {
        low: -quantile(passes.flatMap(({ lows }) => lows.map((low) => -low))),
        high: quantile(passes.flatMap(({ highs }) => highs)),
      };
    }
    const ranges = passes.map(({ lows, highs }) => ({
      low: lows.reduce((a, b) => Math.min(a, b)),
      high: highs.reduce((a, b) => Math.max(a, b)),
    }));
    const [first = { low: 0, high: 0 }, ...rest] = ranges;
    return rest.reduce(estimator === "min-max" ? widen : average, first);
  }

  /** Gives the memory back. */
  release(): void {
    for (const pass of this.passes) pass.release();
    this.passes = [];
  }
}

interface Range {
  readonly low: number;
  readonly high: number;
}

const widen = (range: Range, next: Range): Range => ({
  low: Math.min(range.low, next.low),
  high: Math.max(range.high, next.high),
});

const average = (range: Range, next: Range): Range => ({
  low: range.low + newWeight * (next.low - range.low),
  high: range.high + newWeight * (next.high - range.high),
});

async function readExtremes(pass: Tensor<"f32">): Promise<{ lows: number[]; highs: number[] }> {
  const values = [...(await pass.read())];
  return {
    lows: values.filter((_, i) => i % 2 === 0),
    highs: values.filter((_, i) => i % 2 === 1),
  };
}

function quantile(values: number[]): number {
  if (values.length === 0) return 0;
  const sorted = values.sort((a, b) => a - b);
  return sorted[Math.ceil((sorted.length - 1) * (1 - outsideShare))];
}
