import { halvesToFloats } from "../util/half.ts";
import { sum } from "../util/sums.ts";
import { ShapeError } from "../util/errors.ts";

/**
 * The few weights that stand beside the codes of a weight `[out, in]`, row after row. Numbers have 16
 * bits where these are enough, for rows of fewer than 65536 columns, otherwise 32.
 */
export interface SparseRows {
  /** `[out]`: how many there are in each row. */
  readonly counts: Uint16Array | Uint32Array;
  /** Of each the column, rising within a row. */
  readonly columns: Uint16Array | Uint32Array;
  /** Of each what it adds to the value of its code, float16 bits. */
  readonly values: Uint16Array;
}

/** How the numbers in `SparseRows` are stored. */
export function sparseNumberType(inFeatures: number): "u16" | "u32" {
  return inFeatures < 2 ** 16 ? "u16" : "u32";
}

/** Bytes of so many weights beside the codes. */
export function sparseBytes(weights: number, outFeatures: number, inFeatures: number): number {
  if (weights === 0) return 0;
  const ofNumber = sparseNumberType(inFeatures) === "u16" ? 2 : 4;
  return outFeatures * ofNumber + weights * (ofNumber + 2);
}

/** Makes rows of weights at rising places of `[out, in]`, row by row. */
export function packSparseRows(
  [outFeatures, inFeatures]: readonly [number, number],
  places: Uint32Array,
  values: Uint16Array,
): SparseRows {
  const numbers = (length: number) =>
    sparseNumberType(inFeatures) === "u16" ? new Uint16Array(length) : new Uint32Array(length);
  const [counts, columns] = [numbers(outFeatures), numbers(places.length)];
  for (const [i, place] of places.entries()) {
    counts[Math.floor(place / inFeatures)]++;
    columns[i] = place % inFeatures;
  }
  return { counts, columns, values };
}

/** Where the weights of each row begin, and where the last ones end, `[out + 1]`. */
export function rowStarts({ counts }: SparseRows): Int32Array {
  const starts = new Int32Array(counts.length + 1);
  for (const [row, count] of counts.entries()) starts[row + 1] = starts[row] + count;
  return starts;
}

/**
 * @throws ShapeError unless the counts are those of the weights, and columns are within a row and
 *   rise
 */
export function expectSparseRows(sparse: SparseRows, inFeatures: number): void {
  const { counts, columns } = sparse;
  if (sum([...counts]) !== columns.length) {
    throw new ShapeError(`expected ${columns.length} sparse weights in all rows, got others`);
  }
  const starts = rowStarts(sparse);
  for (let row = 0; row < counts.length; row++) {
    let least = 0;
    for (const column of columns.subarray(starts[row], starts[row + 1])) {
      if (column < least || column >= inFeatures) {
        throw new ShapeError(`sparse weights of row ${row}: column ${column} is out of order`);
      }
      least = column + 1;
    }
  }
}

/** Adds the weights to a matrix `[out, in]`. */
export function addSparseRows(matrix: Float32Array, inFeatures: number, sparse: SparseRows): void {
  const values = halvesToFloats(sparse.values);
  const starts = rowStarts(sparse);
  for (let row = 0; row + 1 < starts.length; row++) {
    for (let i = starts[row]; i < starts[row + 1]; i++) {
      matrix[row * inFeatures + sparse.columns[i]] += values[i];
    }
  }
}
