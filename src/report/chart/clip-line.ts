/** A place from 0 to 1 in both ways, or outside of the chart. */
export type Place = readonly [x: number, y: number];

/** Cuts a line off where it leaves the chart: the parts of it that lie inside. */
export function clipLine(line: readonly Place[]): Place[][] {
  const parts: Place[][] = [];
  for (const [index, from] of line.slice(0, -1).entries()) {
    const clipped = clipSegment(from, line[index + 1] ?? from);
    if (!clipped) continue;
    const [start, end] = clipped;
    const last = parts.at(-1);
    const before = last?.at(-1);
    if (before && before[0] === start[0] && before[1] === start[1]) last?.push(end);
    else parts.push([start, end]);
  }
  return parts;
}

/** Cuts a segment to the unit square (Liang and Barsky 1984); null when it lies outside. */
function clipSegment(from: Place, to: Place): [Place, Place] | null {
  let [first, last] = [0, 1];
  for (const axis of [0, 1] as const) {
    const delta = to[axis] - from[axis];
    if (delta === 0 && (from[axis] < 0 || from[axis] > 1)) return null;
    if (delta === 0) continue;
    const ends = [-from[axis] / delta, (1 - from[axis]) / delta];
    first = Math.max(first, Math.min(...ends));
    last = Math.min(last, Math.max(...ends));
  }
  if (!(first <= last)) return null;
  const at = (share: number): Place =>
    share === 0
      ? from
      : share === 1
        ? to
        : [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
  return [at(first), at(last)];
}

/** The part of a span from 0 to 1; null when it lies outside. */
export function clipSpan([low, high]: readonly [number, number]): [number, number] | null {
  const clipped: [number, number] = [Math.max(0, low), Math.min(1, high)];
  return clipped[0] <= clipped[1] ? clipped : null;
}

/** Moves a place that lies outside to the edge. */
export function toEdge(at: number): number {
  return Math.min(1, Math.max(0, at));
}
