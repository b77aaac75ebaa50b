import { halvesToFloats } from "../../util/half.ts";
import type { BlockFormat, BlockScales } from "./block-format.ts";

/** Groups of a block. */
export function groupsPerBlock({ columns, groupColumns }: BlockFormat): number {
  return columns / groupColumns;
}

/** Makes room for the scales and offsets of so many blocks, as far as a format has them. */
export function allocateScales(format: BlockFormat, blocks: number): BlockScales {
  const groups = blocks * groupsPerBlock(format);
  return {
    scales: new Uint16Array(blocks),
    offsets: format.offset === "none" ? null : new Uint16Array(blocks),
    subScales: format.subScaleRange === null ? null : new Int8Array(groups),
    subOffsets: format.largestSubOffset === null ? null : new Uint8Array(groups),
  };
}

/** A run of blocks taken apart, over and over with other bytes: what decodes rows of blocks. */
export class BlockRun {
  readonly format: BlockFormat;
  readonly blocks: number;
  readonly columns: number;
  private readonly codes: Uint8Array;
  private readonly stored: BlockScales;
  private readonly scales: Float32Array;
  /** Offsets of the blocks as they are stored; null where there are none. */
  readonly offsets: Float32Array | null;

  constructor(format: BlockFormat, blocks: number) {
    this.format = format;
    this.blocks = blocks;
    this.columns = blocks * format.columns;
    this.codes = new Uint8Array(this.columns);
    this.stored = allocateScales(format, blocks);
    this.scales = new Float32Array(blocks);
    this.offsets = this.stored.offsets && new Float32Array(blocks);
  }

  /** Takes the blocks from `bytes[at]` on apart. */
  load(bytes: Uint8Array, at: number): void {
    const { format, stored, offsets } = this;
    format.unpack(bytes, at, this.blocks, this.codes, 0, stored, 0);
    halvesToFloats(stored.scales, this.scales);
    if (offsets && stored.offsets) halvesToFloats(stored.offsets, offsets);
  }

  /**
   * Decodes to `out[to]` on. Products are exact in float64, so that each value is rounded once, to
   * float32.
   */
  decode(out: Float32Array, to: number): void {
    const { codes, scales, offsets } = this;
    const { origin, step, offset: kind } = this.format;
    this.forEachGroup((block, subScale, subOffset, start, end) => {
      const scale = scales[block] * subScale;
      if (!offsets) {
        for (let i = start; i < end; i++) out[to + i] = scale * (origin + step * codes[i]);
        return;
      }
      const offset = offsets[block] * (kind === "subtracted" ? -subOffset : subOffset);
      for (let i = start; i < end; i++) out[to + i] = scale * (origin + step * codes[i]) + offset;
    });
  }

  /** Writes what each weight adds for a unit of its block's scale: the gradient by that scale. */
  units(out: Float32Array): void {
    const { codes } = this;
    const { origin, step } = this.format;
    this.forEachGroup((_block, subScale, _subOffset, start, end) => {
      for (let i = start; i < end; i++) out[i] = subScale * (origin + step * codes[i]);
    });
  }

  /** Writes what each weight adds for a unit of its block's offset: the gradient by that offset. */
  shifts(out: Float32Array): void {
    const sign = this.format.offset === "subtracted" ? -1 : 1;
    this.forEachGroup((_block, _subScale, subOffset, start, end) => {
      out.fill(sign * subOffset, start, end);
    });
  }

  private forEachGroup(
    visit: (block: number, subScale: number, subOffset: number, start: number, end: number) => void,
  ): void {
    const { format, stored, blocks } = this;
    const { subScales, subOffsets } = stored;
    const { groupColumns } = format;
    const groups = groupsPerBlock(format);
    for (let group = 0; group < blocks * groups; group++) {
      const subScale = subScales ? subScales[group] : 1;
      const subOffset = subOffsets ? subOffsets[group] : 1;
      const start = group * groupColumns;
      visit(Math.floor(group / groups), subScale, subOffset, start, start + groupColumns);
    }
  }
}
