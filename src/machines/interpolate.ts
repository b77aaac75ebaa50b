/** A measured time of something of two sizes. */
export interface Node {
  readonly x: number;
  readonly y: number;
  readonly seconds: number;
}

/**
 * Interpolates times between measured sizes: bilinear, so that what is about a constant, a part for
 * each row, one for each column and one for each element is exact, and beyond the outermost as
 * between the last two. With one size along an axis, time is taken to be proportional to it.
 * @param nodes a whole grid: every x with every y, in any order
 * @returns seconds; null where the grid has holes
 */
export function interpolateTime(nodes: readonly Node[], x: number, y: number): number | null {
  const xs = sortedSizes(nodes.map((node) => node.x));
  const ys = sortedSizes(nodes.map((node) => node.y));
  const times = new Map(nodes.map((node) => [`${node.x} ${node.y}`, node.seconds]));
  if (times.size === 0 || times.size !== xs.length * ys.length) return null;
  const along = (at: number): number =>
    lineThrough(ys, y, (size) => times.get(`${at} ${size}`) ?? Number.NaN);
  return lineThrough(xs, x, along);
}

function sortedSizes(sizes: readonly number[]): number[] {
  return [...new Set(sizes)].sort((a, b) => a - b);
}

/**
 * Value at `size` of the line through the two sizes that are around it, or nearest to it. Noise can
 * bend a line below zero: a size takes no less than its share of the upper one's time, and no less
 * than all of it beyond.
 */
function lineThrough(
  sizes: readonly number[],
  size: number,
  valueAt: (size: number) => number,
): number {
  const above = sizes.findIndex((each) => each >= size);
  const last = sizes.length - 1;
  const upper = above < 0 ? last : Math.max(above, Math.min(1, last));
  if (upper === 0) return (valueAt(sizes[0]) * size) / sizes[0];
  const [low, high] = [sizes[upper - 1], sizes[upper]];
  const [least, most] = [valueAt(low), valueAt(high)];
  const line = least + ((size - low) / (high - low)) * (most - least);
  return Math.max(line, most * Math.min(1, size / high));
}

/**
 * Interpolates seconds that are about a constant and a part that grows with a size: linear between
 * the two sizes that are around it, or nearest to it. They may be below zero, as differences are.
 * @returns null where there is none
 */
export function interpolateLinear(
  points: readonly { readonly size: number; readonly seconds: number }[],
  size: number,
): number | null {
  const sorted = [...points].sort((a, b) => a.size - b.size);
  if (sorted.length < 2) return sorted[0]?.seconds ?? null;
  const above = sorted.findIndex((point) => point.size >= size);
  const upper = above < 0 ? sorted.length - 1 : Math.max(1, above);
  const [low, high] = [sorted[upper - 1], sorted[upper]];
  const share = (size - low.size) / (high.size - low.size);
  return low.seconds + share * (high.seconds - low.seconds);
}
