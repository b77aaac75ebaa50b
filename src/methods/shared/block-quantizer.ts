import type { QTensor } from "../../quant/q-tensor.ts";
import type { BlockScheme } from "../../quant/scheme.ts";
import { quantizeColumns, refitGroups } from "../../tensor/quantization-ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { BlockSearch } from "./block-search.ts";

/**
 * How far from the sub-scales that the search of a block gave others are tried. Twice as far gains
 * no more than 1 % of the error on Q2_K, and nothing above.
 */
const reach = 4;

/**
 * The working state of quantizing one weight column by column under a scheme of blocks: what the
 * search of each block chose, and the scales and offsets that this gives each group.
 */
export class BlockQuantizer {
  readonly weight: Tensor<"f32">;
  private readonly search: BlockSearch;
  /** Scales and signed offsets as they are stored, `[rows, groups]`. */
  private readonly scales: Tensor<"f32">;
  private readonly offsets: Tensor<"f32"> | null;
  private readonly zeros: Tensor<"f32">;
  private readonly groupOf: Tensor<"i32">;

  /**
   * @param importance `[in]` of the columns for the errors of their weights; null: all are alike
   * @param groupOf `[in]` group of each column; by default ⌊j / groupSize⌋ of column j
   * @throws SchemeError when a row is no whole number of blocks
   */
  constructor(
    weight: Tensor<"f32">,
    scheme: BlockScheme,
    importance: Float32Array | null,
    groupOf?: Int32Array,
  ) {
    const [rows = 0, columns = 0] = weight.shape;
    const { backend } = weight;
    this.weight = weight;
    this.search = new BlockSearch(weight, scheme, importance);
    const shape = [rows, columns / scheme.groupSize];
    this.scales = Tensor.zeros(backend, "f32", shape);
    this.zeros = Tensor.zeros(backend, "f32", shape);
    this.offsets = scheme.blocks.offset === "none" ? null : Tensor.zeros(backend, "f32", shape);
    const ofColumn =
      groupOf ?? Int32Array.from({ length: columns }, (_, j) => Math.floor(j / scheme.groupSize));
    this.groupOf = Tensor.from(backend, "i32", [columns], ofColumn);
  }

  /** Searches for the blocks of all columns of `weight`, in their natural order. */
  fitAll(weight: Tensor<"f32"> = this.weight): void {
    const end = weight.shape[1] ?? 0;
    this.search.choose(0, end, weight);
    this.refit(0, end, 0, weight);
  }

  /** Quantizes all columns by what was fitted; with `factor` their errors are carried on (GPTQ). */
  quantizeAll(factor: Tensor<"f32"> | null): void {
    this.quantize(0, this.weight.shape[1] ?? 0, factor);
  }

  /**
   * Quantizes all columns, and carries their errors on by `factor` (GPTQ). Scale and offset of a
   * block are found when its first column comes, those of a group, within the block's, when its
   * first column does: from weights that carry all errors before.
   */
  fitAndQuantize(factor: Tensor<"f32">): void {
    const { columns, groupColumns } = this.search.scheme.blocks;
    const end = this.weight.shape[1] ?? 0;
    for (let start = 0; start < end; start += groupColumns) {
      if (start % columns === 0) this.search.choose(start, start + columns);
      this.refit(start, start + groupColumns, reach, this.weight);
      this.quantize(start, start + groupColumns, factor);
    }
  }

  /**
   * Packs what was chosen, and gives the memory back. `columns[j]` is the original column whose
   * code stands at position j; with `blocksMoved` blocks and groups stand there, too.
   */
  async finish(columns: Int32Array | null = null, blocksMoved = false): Promise<QTensor> {
    const packed = await this.search.finish(columns, blocksMoved);
    this.releaseGroups();
    return packed;
  }

  /** Gives the memory back, where nothing is packed. */
  release(): void {
    this.search.release();
    this.releaseGroups();
  }

  private releaseGroups(): void {
    const { scales, zeros, offsets, groupOf } = this;
    for (const part of [scales, zeros, offsets, groupOf]) part?.release();
  }

  private refit(start: number, end: number, within: number, weight: Tensor<"f32">): void {
    const { scales, offsets, search } = this;
    const { importance, scheme } = search;
    const options = { format: scheme.blocks, start, end, importance, reach: within };
    refitGroups(scales, offsets, search, weight, options);
  }

  private quantize(start: number, end: number, factor: Tensor<"f32"> | null): void {
    const { search, weight, scales, zeros, offsets, groupOf } = this;
    const parameters = { scales, zeros, offsets, groupOf, grid: search.scheme.grid };
    quantizeColumns(search.codes, weight, { start, end, factor, ...parameters });
  }
}

/** Sets every weight `[out, in]` to what the search for its block stores it as, without packing. */
export function roundToBlocks(
  weight: Tensor<"f32">,
  scheme: BlockScheme,
  importance: Float32Array | null,
): void {
  const quantizer = new BlockQuantizer(weight, scheme, importance);
  quantizer.fitAll();
  quantizer.quantizeAll(null);
  quantizer.release();
}
