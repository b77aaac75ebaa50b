/** An orthogonal matrix `R [size, size]`. */
export interface Rotation {
  readonly size: number;
  /** Replaces x `[size]` by x·R. */
  readonly turn: (x: Float64Array) => void;
}

/** Rotations of a whole model that leave its logits as they were. */
export interface ModelRotation {
  /** Of the residual stream. */
  readonly stream: Rotation;
  /** Of the values of each head of a block, `[headDim]`; null: they stay as they are. */
  readonly values: (block: number) => Rotation | null;
}

/** A tensor that is computed from others of a checkpoint when it is read. */
export interface DerivedTensor {
  /** The tensor that it is made of, and whose shape it has. */
  readonly from: string;
  /** Names of small tensors that take part, as they are computed with. */
  readonly vectors: readonly string[];
  /** Whether rows can be made by themselves. */
  readonly byRows: boolean;
  /** Whether it is kept in the dtype of `from`; otherwise it is float32. */
  readonly keepsDType: boolean;
  /** Changes whole rows of `from`, as it is computed with, in place. */
  readonly change: (values: Float32Array, vectors: readonly Float32Array[]) => void;
}

/** Replaces each row x `[width]` of a matrix by x·R, or the parts of `R.size` that make it up. */
export function turnRows(values: Float32Array, { size, turn }: Rotation): void {
  const x = new Float64Array(size);
  for (let at = 0; at < values.length; at += size) {
    const row = values.subarray(at, at + size);
    x.set(row);
    turn(x);
    row.set(x);
  }
}

/**
 * Replaces the values x `[size]` that stand at `rows` in each column of a matrix of so many columns
 * by x·R.
 */
export function turnColumns(
  values: Float32Array,
  columns: number,
  rows: Int32Array,
  { size, turn }: Rotation,
): void {
  const x = new Float64Array(size);
  for (let column = 0; column < columns; column++) {
    for (let i = 0; i < size; i++) x[i] = values[rows[i] * columns + column];
    turn(x);
    for (let i = 0; i < size; i++) values[rows[i] * columns + column] = x[i];
  }
}
