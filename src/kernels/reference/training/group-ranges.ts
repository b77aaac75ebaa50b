import type { Kernels, TensorView } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";

/** Least and largest weight of each group, zero within. */
export const groupRanges: Kernels["groupRanges"] = (low, high, weight, groupSize) => {
  const [lows, highs] = [floats(low), floats(high)];
  forEachGroup(weight, groupSize, (group, values) => {
    let least = 0;
    let largest = 0;
    for (const value of values) {
      if (value < least) least = value;
      if (value > largest) largest = value;
    }
    lows[group] = least;
    highs[group] = largest;
  });
};

/** Gradients by the weights at the ends of ranges, from those by the factors of both sides. */
export const groupRangesBackward: Kernels["groupRangesBackward"] = (
  dWeight,
  dLowFactors,
  dHighFactors,
  weight,
  { low, high, lowFactors, highFactors },
  groupSize,
) => {
  const sides = [
    [floats(low), floats(lowFactors), floats(dLowFactors)],
    [floats(high), floats(highFactors), floats(dHighFactors)],
  ] as const;
  forEachGroup(weight, groupSize, (group, values, start) => {
    for (const [ends, factors, gradients] of sides) {
      const end = ends[group];
      if (end === 0) continue;
      const there = values.reduce((count, value) => count + (value === end ? 1 : 0), 0);
      const share = (gradients[group] * factors[group]) / end / Math.max(1, there);
      for (const [i, value] of values.entries()) {
        if (value === end) floats(dWeight)[start + i] += share;
      }
    }
  });
};

/** Visits the groups of `weight [rows, n]`, row after row. */
function forEachGroup(
  weight: TensorView,
  groupSize: number,
  visit: (group: number, values: Float32Array, start: number) => void,
): void {
  const [rows = 0, columns = 0] = weight.shape;
  const perRow = Math.ceil(columns / groupSize);
  for (let group = 0; group < rows * perRow; group++) {
    const row = Math.floor(group / perRow);
    const start = row * columns + (group % perRow) * groupSize;
    const end = Math.min(start + groupSize, (row + 1) * columns);
    visit(group, floats(weight).subarray(start, end), start);
  }
}
