import { roundHalfEven } from "../util/rounding.ts";
import type { ScaleStart } from "./grid.ts";
import { groupsPerRow, type Scheme } from "./scheme.ts";

const largestScale = 1e4;

/** Scales and zero points of all groups, row after row. */
export interface StartingScales {
  readonly scales: Float32Array;
  /** Whole numbers; 0 unless the range of a group is spanned. */
  readonly zeros: Float32Array;
}

/**
 * Finds the scales with which the training of `weights` (rows of `columns`) begins: `factor` times
 * max|w|, mean|w| or max(w) − min(w) of each group, at least the grid's least scale. The span is
 * widened to zero, as RTN does: of weights of one sign the zero point `rne(−min(w)/s)` would
 * otherwise lie where none can be stored.
 */
export function startScales(
  weights: Float32Array,
  columns: number,
  scheme: Scheme,
  { of, factor }: ScaleStart,
): StartingScales {
  const rows = weights.length / columns;
  const groups = groupsPerRow(scheme, columns);
  const width = scheme.groupSize ?? columns;
  const least = scheme.grid.training?.leastScale ?? 0;
  const scales = new Float32Array(rows * groups);
  const zeros = new Float32Array(rows * groups);
  for (let row = 0, index = 0; row < rows; row++) {
    for (let group = 0; group < groups; group++, index++) {
      const start = row * columns + group * width;
      const end = Math.min(start + width, (row + 1) * columns);
      const { low, high, mean } = measureWithZero(weights.subarray(start, end));
      const extent = { peak: Math.max(high, -low), mean, span: high - low }[of];
      const scale = Math.min(Math.max(extent * factor, least), largestScale);
      scales[index] = scale;
      if (of !== "span") continue;
      zeros[index] = roundHalfEven(-low / scale);
    }
  }
  return { scales, zeros };
}

/** Least and largest weight, with zero among the weights, and mean magnitude. */
function measureWithZero(group: Float32Array): { low: number; high: number; mean: number } {
  let low = 0;
  let high = 0;
  let sum = 0;
  for (const value of group) {
    low = Math.min(low, value);
    high = Math.max(high, value);
    sum += Math.abs(value);
  }
  return { low, high, mean: sum / group.length };
}
