import type { Backend } from "../backend/backend.ts";
import { matmul } from "../tensor/products.ts";
import { Tensor } from "../tensor/tensor.ts";

/** An orthogonal matrix `R [size, size]`. */
export interface Rotation {
  readonly size: number;
  /** Replaces each run x of `size` values by x·R. */
  readonly turnRows: (rows: Float32Array) => void | Promise<void>;
}

/** Rotations of a whole model that leave its logits as they were. */
export interface ModelRotation {
  /** Of the residual stream. */
  readonly stream: Rotation;
  /** Of the values of each head of a block, `[headDim]`; null: they stay as they are. */
  readonly values: (block: number) => Rotation | null;
}

/** A turn of a tensor by one of the rotations of a model. */
export interface Turn {
  /** Which: that of the residual stream, or of the values of a block, by its index. */
  readonly by: "stream" | number;
  /**
   * What is turned in a matrix of so many columns: the values that stand at these rows in each of
   * them, one list after the other. Null: each row, in runs of the rotation's size.
   */
  readonly across: { readonly rows: readonly Int32Array[]; readonly columns: number } | null;
}

/** A tensor that is computed from others of a checkpoint when it is read. */
export interface DerivedTensor {
  /** The tensor that it is made of, and whose shape it has. */
  readonly from: string;
  /** Names of small tensors that take part, as they are computed with. */
  readonly vectors: readonly string[];
  /** Whether it is kept in the dtype of `from`; otherwise it is float32. */
  readonly keepsDType: boolean;
  /** Changes whole rows of `from`, as it is computed with, in place, before they are turned. */
  readonly fold: (values: Float32Array, vectors: readonly Float32Array[]) => void;
  /** In the order in which they come. */
  readonly turns: readonly Turn[];
}

/**
 * The rotation of a model whose tensors take it up as they are read. Until one is set, norms are
 * folded and nothing is turned; one that is learned is set when it is known.
 */
export class FoldedRotation {
  /** By the names of the tensors. */
  readonly tensors: ReadonlyMap<string, DerivedTensor>;
  current: ModelRotation | null = null;

  constructor(tensors: ReadonlyMap<string, DerivedTensor>) {
    this.tensors = tensors;
  }

  /** Folds and turns whole rows of a tensor, in place. */
  async change(
    values: Float32Array,
    tensor: DerivedTensor,
    vectors: readonly Float32Array[],
  ): Promise<void> {
    tensor.fold(values, vectors);
    if (this.current) await turnTensor(values, tensor, this.current);
  }
}

/** The rotation that a turn is by; null: none. */
function rotationOf({ by }: Turn, { stream, values }: ModelRotation): Rotation | null {
  return by === "stream" ? stream : values(by);
}

/** Turns whole rows of a tensor in place. */
async function turnTensor(
  values: Float32Array,
  { turns }: Pick<DerivedTensor, "turns">,
  rotation: ModelRotation,
): Promise<void> {
  for (const turn of turns) {
    const by = rotationOf(turn, rotation);
    if (!by) continue;
    if (!turn.across) await by.turnRows(values);
    else
      for (const rows of turn.across.rows) await turnAcross(values, turn.across.columns, rows, by);
  }
}

/** Values that are turned across rows at a time. */
const pieceValues = 2 ** 20;

/** Replaces the values x `[size]` that stand at `rows` in each column by x·R. */
async function turnAcross(
  values: Float32Array,
  columns: number,
  rows: Int32Array,
  { size, turnRows }: Rotation,
): Promise<void> {
  const width = Math.max(1, Math.floor(pieceValues / size));
  for (let first = 0; first < columns; first += width) {
    const end = Math.min(columns, first + width);
    const piece = new Float32Array((end - first) * size);
    for (let i = 0; i < size; i++) {
      const from = rows[i] * columns;
      for (let j = first; j < end; j++) piece[(j - first) * size + i] = values[from + j];
    }
    await turnRows(piece);
    for (let i = 0; i < size; i++) {
      const to = rows[i] * columns;
      for (let j = first; j < end; j++) values[to + j] = piece[(j - first) * size + i];
    }
  }
}

/** The rotation by a matrix `R [size, size]`, row by row, whose products are the backend's. */
export function denseRotation(backend: Backend, size: number, matrix: Float32Array): Rotation {
  return {
    size,
    turnRows: async (rows) => {
      const x = Tensor.from(backend, "f32", [rows.length / size, size], rows.slice());
      const r = Tensor.from(backend, "f32", [size, size], matrix.slice());
      const turned = matmul(x, r);
      await turned.look((values) => rows.set(values));
      for (const tensor of [x, r, turned]) tensor.release();
    },
  };
}
