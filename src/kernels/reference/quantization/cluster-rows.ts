import type { Kernels } from "../../../backend/kernels.ts";
import { floatToHalfBits, halvesToFloats } from "../../../util/half.ts";
import { floats } from "../arrays.ts";

/**
 * Exact weighted k-means of each row: a dynamic program over the ends of clusters, whose costs are
 * differences of prefix sums in float64. The first value of the last cluster never moves down as its
 * end moves up, so that each step looks at n·log n runs.
 */
export const clusterRows: Kernels["clusterRows"] = (table, codes, values, weights) => {
  const [rows = 0, columns = 0] = values.shape;
  const levels = table.shape[1] ?? 0;
  for (let row = 0; row < rows; row++) {
    const from = row * columns;
    const ofRow = floats(values).subarray(from, from + columns);
    const centroids = centroidsOf(ofRow, floats(weights).subarray(from, from + columns), levels);
    const halves = Uint16Array.from({ length: levels }, (_, level) =>
      floatToHalfBits(Math.fround(centroids[Math.min(level, centroids.length - 1)])),
    );
    (table.storage as Uint16Array).set(halves, row * levels);
    const nearest = nearestCodes(ofRow, halvesToFloats(halves));
    (codes.storage as Uint8Array).set(nearest, from);
  }
};

/** The code of the nearest of rising values, the lower one where two are as near. */
function nearestCodes(values: Float32Array, table: Float32Array): Uint8Array {
  return Uint8Array.from(values, (value) => {
    let code = 0;
    while (code + 1 < table.length && value > (table[code] + table[code + 1]) / 2) code++;
    return code;
  });
}

/** Centroids in rising order; fewer than `levels` where there are fewer values. */
function centroidsOf(values: Float32Array, weights: Float32Array, levels: number): number[] {
  const points = pointsOf(values, weights);
  const first = firstOfClusters(points, Math.min(levels, points.length));
  const centroids: number[] = [];
  let end = points.length;
  for (let cluster = first.length - 1; cluster >= 0; cluster--) {
    const begin = first[cluster][end - 1];
    let [w, wx] = [0, 0];
    for (const point of points.slice(begin, end)) {
      w += point.weight;
      wx += point.weight * point.value;
    }
    centroids.unshift(wx / w);
    end = begin;
  }
  return centroids;
}

interface Point {
  readonly value: number;
  readonly weight: number;
}

/** What counts of a row in rising order: values with a weight, all alike where none has one. */
function pointsOf(values: Float32Array, weights: Float32Array): Point[] {
  const all = [...values].map((value, i) => ({ value, weight: weights[i] }));
  const counted = all.filter(({ weight }) => weight > 0);
  const points = counted.length > 0 ? counted : all.map(({ value }) => ({ value, weight: 1 }));
  return points.sort((a, b) => a.value - b.value || a.weight - b.weight);
}

/** For each number of clusters, the first point of the last one when it ends with each point. */
function firstOfClusters(points: readonly Point[], clusters: number): Int32Array[] {
  const costOf = runCosts(points);
  const count = points.length;
  const first = [new Int32Array(count)];
  let before = Float64Array.from({ length: count }, (_, end) => costOf(0, end));
  for (let cluster = 1; cluster < clusters; cluster++) {
    const now = before.slice();
    const chosen = new Int32Array(count);
    /** Chooses for the ends from `low` to `high` among beginnings from `from` to `to`. */
    const halve = (low: number, high: number, from: number, to: number): void => {
      if (low > high) return;
      const middle = Math.floor((low + high) / 2);
      let [best, least] = [from, Number.POSITIVE_INFINITY];
      for (let begin = from; begin <= Math.min(middle, to); begin++) {
        const sum = before[begin - 1] + costOf(begin, middle);
        if (sum < least) [best, least] = [begin, sum];
      }
      now[middle] = least;
      chosen[middle] = best;
      halve(low, middle - 1, from, best);
      halve(middle + 1, high, best, to);
    };
    halve(cluster, count - 1, cluster, count - 1);
    first.push(chosen);
    before = now;
  }
  return first;
}

/** Returns `Σ w·x² − (Σ w·x)²/Σ w` of the points from one to another, both included. */
function runCosts(points: readonly Point[]): (from: number, to: number) => number {
  const sums = [0, 1, 2].map((power) => {
    const prefix = new Float64Array(points.length + 1);
    for (const [i, { value, weight }] of points.entries()) {
      prefix[i + 1] = prefix[i] + weight * value ** power;
    }
    return prefix;
  });
  return (from, to) => {
    const [w, wx, wxx] = sums.map((prefix) => prefix[to + 1] - prefix[from]);
    return w > 0 ? Math.max(0, wxx - (wx * wx) / w) : 0;
  };
}
