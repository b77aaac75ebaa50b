import {
  iq1Points,
  iq2SPoints,
  iq2XsPoints,
  iq2XxsPoints,
  iq3SPoints,
  iq3XxsPoints,
} from "./grid-points.generated.ts";

/** Points of a space of few levels, in the order of their indices. */
export interface PointGrid {
  /** Coordinates of a point. */
  readonly length: number;
  /** `[points, length]` */
  readonly values: Int8Array;
}

/**
 * The grids of the IQ types. Each is a set of points of a space that has few levels in each
 * direction, and in ggml they stand in the order of the numbers that their coordinates make as
 * digits, the first being the least. So a grid is stored as one bit for each point of the space.
 * Source: `iq*_grid` in ggml-common.h (ggml, MIT).
 */
export const iq2XxsGrid = remember(() => readGrid(iq2XxsPoints, [8, 25, 43], 8));
export const iq2XsGrid = remember(() => readGrid(iq2XsPoints, [8, 25, 43], 8));
export const iq2SGrid = remember(() => readGrid(iq2SPoints, [8, 25, 43], 8));
export const iq3XxsGrid = remember(() =>
  readGrid(iq3XxsPoints, [4, 12, 20, 28, 36, 44, 52, 62], 4),
);
export const iq3SGrid = remember(() => readGrid(iq3SPoints, [1, 3, 5, 7, 9, 11, 13, 15], 4));
export const iq1Grid = remember(() => readGrid(iq1Points, [-1, 0, 1], 8));

/** Reads the bits of a grid, base64, the lowest bit of each byte first. */
function readGrid(base64: string, levels: readonly number[], length: number): PointGrid {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const values: number[] = [];
  for (let point = 0; point < levels.length ** length; point++) {
    if (((bytes[point >> 3] >> (point & 7)) & 1) === 0) continue;
    for (let i = 0, rest = point; i < length; i++) {
      values.push(levels[rest % levels.length]);
      rest = Math.floor(rest / levels.length);
    }
  }
  return { length, values: Int8Array.from(values) };
}

/** Makes a grid when it is first asked for. */
function remember(make: () => PointGrid): () => PointGrid {
  let made: PointGrid | null = null;
  return () => (made ??= make());
}

/** Writes a point times `scale`; bit i of `signs` turns coordinate i. */
export function writeSignedPoint(
  { length, values }: PointGrid,
  index: number,
  scale: number,
  signs: number,
  out: Float32Array,
  to: number,
): void {
  const first = index * length;
  for (let i = 0; i < length; i++) {
    out[to + i] = scale * values[first + i] * (1 - 2 * ((signs >> i) & 1));
  }
}

/** Writes a point, each coordinate shifted by `delta`, times `scale`. */
export function writeShiftedPoint(
  { length, values }: PointGrid,
  index: number,
  scale: number,
  delta: number,
  out: Float32Array,
  to: number,
): void {
  const first = index * length;
  for (let i = 0; i < length; i++) out[to + i] = scale * (values[first + i] + delta);
}

/** Completes seven signs by the one that makes the number of negative ones even. */
export function evenSigns(seven: number): number {
  const folded = seven ^ (seven >> 4);
  // Bit n of this number is the parity of n.
  return seven | (((0x6996 >> (folded & 15)) & 1) << 7);
}
