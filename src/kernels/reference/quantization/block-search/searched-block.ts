import { floatToHalfBits } from "../../../../util/half.ts";
import { clip } from "./single-rounding.ts";

const { fround } = Math;
const largestHalf = 65504;

/** A block of weights, and where its codes and sub-scales go. */
export interface SearchedBlock {
  readonly weights: Float32Array;
  /** Importance of each column; null: all are alike. */
  readonly importance: Float32Array | null;
  /** Mean of the squares of the weights of the block's row. */
  readonly rowEnergy: number;
  readonly codes: Uint8Array;
  /** One for each group of the block; empty for formats without. */
  readonly subScales: Int8Array;
  readonly subOffsets: Uint8Array;
}

/** Scale and offset of a block, float16 bits; the offset is 0 for formats without. */
export interface BlockParameters {
  readonly scale: number;
  readonly offset: number;
}

/** Chooses what a block is stored as: fills in codes and sub-scales, and returns the rest. */
export type BlockSearch = (block: SearchedBlock) => BlockParameters;

/** Rounds to float16, to the largest one where the value is out of its range. */
export function toHalf(value: number): number {
  return floatToHalfBits(clip(value, -largestHalf, largestHalf));
}

/** Weights of the errors of `x`: `importance · √(energy + x²)`. */
export function importantWeights(
  x: Float32Array,
  importance: Float32Array,
  energy: number,
): Float32Array {
  return x.map((value, i) =>
    fround(importance[i] * fround(Math.sqrt(fround(energy + fround(value * value))))),
  );
}

/** Squares of values. */
export function squares(x: Float32Array): Float32Array {
  return x.map((value) => fround(value * value));
}

/** The group `index` of `size` values. */
export function groupOf<A extends Float32Array | Uint8Array>(
  values: A,
  index: number,
  size: number,
): A {
  return values.subarray(index * size, (index + 1) * size) as A;
}
