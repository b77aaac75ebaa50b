import { QTensor } from "../../quant/q-tensor.ts";
import { type BlockScheme, expectWholeBlocks } from "../../quant/scheme.ts";
import { searchBlocks } from "../../tensor/quantization-ops.ts";
import { Tensor } from "../../tensor/tensor.ts";

/**
 * The blocks of one weight `[rows, columns]` while they are chosen: codes, scales and offsets on the
 * backend.
 */
export class BlockSearch {
  readonly weight: Tensor<"f32">;
  readonly scheme: BlockScheme;
  readonly codes: Tensor<"u8">;
  /** Of blocks, `[rows, blocks]`. */
  readonly scales: Tensor<"f16">;
  readonly offsets: Tensor<"f16">;
  /** Factors of these in groups, `[rows, groups]`; zeros where a block is one group. */
  readonly subScales: Tensor<"i8">;
  readonly subOffsets: Tensor<"u8">;
  /** Of each column, `[columns]`. */
  readonly importance: Tensor<"f32"> | null;

  /**
   * @param importance of each column for the errors of its weights; null: all are alike
   * @throws SchemeError when a row is no whole number of blocks
   */
  constructor(weight: Tensor<"f32">, scheme: BlockScheme, importance: Float32Array | null) {
    const [rows = 0, columns = 0] = weight.shape;
    const { backend } = weight;
    const { blocks } = scheme;
    expectWholeBlocks(scheme, columns);
    this.weight = weight;
    this.scheme = scheme;
    this.importance = importance && Tensor.from(backend, "f32", [columns], importance);
    this.codes = Tensor.zeros(backend, "u8", [rows, columns]);
    this.scales = Tensor.zeros(backend, "f16", [rows, columns / blocks.columns]);
    this.offsets = Tensor.zeros(backend, "f16", this.scales.shape);
    this.subScales = Tensor.zeros(backend, "i8", [rows, columns / blocks.groupColumns]);
    this.subOffsets = Tensor.zeros(backend, "u8", this.subScales.shape);
  }

  /** Chooses the blocks of the columns `[start, end)` for `weight` as it is now. */
  choose(start: number, end: number, weight: Tensor<"f32"> = this.weight): void {
    const { importance } = this;
    searchBlocks(this, weight, { format: this.scheme.blocks, start, end, importance });
  }

  /**
   * Packs what was chosen, and gives the memory back. `columns[j]` is the original column whose
   * code stands at position j; with `blocksMoved` blocks and groups stand there, too.
   */
  async finish(columns: Int32Array | null = null, blocksMoved = false): Promise<QTensor> {
    const { scheme, codes, scales, offsets, subScales, subOffsets } = this;
    const [outFeatures = 0, inFeatures = 0] = this.weight.shape;
    const { offset, subScaleRange, largestSubOffset } = scheme.blocks;
    const moved = blocksMoved ? columns : null;
    const ofBlocks = moved && unitsOf(moved, scheme.blocks.columns);
    const ofGroups = moved && unitsOf(moved, scheme.blocks.groupColumns);
    const packed = QTensor.packBlocks(scheme, {
      outFeatures,
      inFeatures,
      codes: restore(await codes.read(), columns),
      scales: restore(await scales.read(), ofBlocks),
      offsets: offset === "none" ? null : restore(await offsets.read(), ofBlocks),
      subScales: subScaleRange && restore(await subScales.read(), ofGroups),
      subOffsets: largestSubOffset === null ? null : restore(await subOffsets.read(), ofGroups),
    });
    this.release();
    return packed;
  }

  /** Gives the memory back, where nothing is packed. */
  release(): void {
    const { codes, scales, offsets, subScales, subOffsets, importance } = this;
    for (const part of [codes, scales, offsets, subScales, subOffsets]) part.release();
    importance?.release();
  }
}

/**
 * Chooses the blocks of a weight `[out, in]` as ggml does: with a search for the scales of each
 * group, and with the importance of columns where it is known.
 */
export async function chooseBlocks(
  weight: Tensor<"f32">,
  scheme: BlockScheme,
  importance: Float32Array | null,
): Promise<QTensor> {
  const search = new BlockSearch(weight, scheme, importance);
  search.choose(0, weight.shape[1] ?? 0);
  return search.finish();
}

/** The unit of `width` columns that stands at each unit's position, where units stay whole. */
function unitsOf(columns: Int32Array, width: number): Int32Array {
  return Int32Array.from({ length: columns.length / width }, (_, i) =>
    Math.floor(columns[i * width] / width),
  );
}

/** Puts the values of each row back to where they stood: `order[j]` is the place of value j. */
function restore<A extends Uint8Array | Int8Array | Uint16Array>(
  values: A,
  order: Int32Array | null,
): A {
  if (!order) return values;
  const restored = values.slice() as A;
  for (let row = 0; row < values.length; row += order.length) {
    for (let j = 0; j < order.length; j++) restored[row + order[j]] = values[row + j];
  }
  return restored;
}
