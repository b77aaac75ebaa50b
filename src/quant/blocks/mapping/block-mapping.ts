import { allocateScales } from "../block-run.ts";
import type { BlockFormat, BlockScales } from "../block-format.ts";
import type { AffineWeight } from "./affine-weight.ts";
import { type FittedBlock, fitBlock } from "./fit-blocks.ts";

/** Whether a weight can be written in a block format with codes that stand for its own. */
export type MappingKind = "exact" | "rounded" | "impossible";

/** A block that was fitted, and to which groups of the weight. */
interface LastFit {
  readonly first: number;
  readonly groups: number;
  /** Columns between the beginnings of its first group and of the block. */
  readonly lead: number;
  readonly fitted: FittedBlock | null;
}

/**
 * A weight rewritten as blocks of a format, code by code: no code is chosen anew. In an exact
 * mapping every weight keeps its float32 value; in a rounded one the scales or offsets of some blocks
 * are float16 values next to those that the weight has.
 */
export class BlockMapping {
  readonly weight: AffineWeight;
  readonly format: BlockFormat;
  private readonly blocksPerRow: number;
  private readonly scales: BlockScales;
  private readonly codes: Uint8Array;
  private readonly ownCodes: Uint8Array;
  /** The block that was fitted last, and what it was fitted to. */
  private last: LastFit | null = null;

  /** The rows of the weight must be whole blocks. */
  constructor(weight: AffineWeight, format: BlockFormat) {
    this.weight = weight;
    this.format = format;
    this.blocksPerRow = weight.inFeatures / format.columns;
    this.scales = allocateScales(format, this.blocksPerRow);
    this.codes = new Uint8Array(weight.inFeatures);
    this.ownCodes = new Uint8Array(weight.inFeatures);
  }

  /** Says what the mapping does to the weight, from its scales and offsets. */
  kind(): MappingKind {
    let kind: MappingKind = "exact";
    for (let row = 0; row < this.weight.outFeatures; row++) {
      for (let block = 0; block < this.blocksPerRow; block++) {
        const fitted = this.fit(row, block);
        if (!fitted) return "impossible";
        if (!fitted.exact) kind = "rounded";
      }
    }
    return kind;
  }

  /** Returns the bytes of rows `[first, end)`; the mapping must be possible. */
  rows(first: number, end: number): Uint8Array {
    const { format, weight, blocksPerRow } = this;
    const rowBytes = blocksPerRow * format.bytes;
    const bytes = new Uint8Array((end - first) * rowBytes);
    for (let row = first; row < end; row++) {
      weight.readCodes(row, this.ownCodes);
      for (let block = 0; block < blocksPerRow; block++) {
        const fitted = this.fit(row, block);
        if (fitted) this.place(fitted, block);
      }
      format.pack(this.codes, 0, this.scales, 0, blocksPerRow, bytes, (row - first) * rowBytes);
    }
    return bytes;
  }

  /** Puts the codes and scales of a block in their place in the row. */
  private place(fitted: FittedBlock, block: number): void {
    const { scales, codes, ownCodes, format } = this;
    scales.scales[block] = fitted.scale;
    if (scales.offsets) scales.offsets[block] = fitted.offset;
    scales.subScales?.set(fitted.subScales, block * fitted.subScales.length);
    scales.subOffsets?.set(fitted.subOffsets, block * fitted.subOffsets.length);
    const start = block * format.columns;
    for (const { begin, end, factor, shift } of fitted.codes) {
      for (let i = start + begin; i < start + end; i++) codes[i] = factor * ownCodes[i] + shift;
    }
  }

  /** Fits a block, unless the one before had the same scales in the same places. */
  private fit(row: number, block: number): FittedBlock | null {
    const { weight, format, last } = this;
    const { groupColumns, groupsPerRow } = weight;
    const start = block * format.columns;
    const group = Math.floor(start / groupColumns);
    const groups = Math.floor((start + format.columns - 1) / groupColumns) - group + 1;
    const first = row * groupsPerRow + group;
    // Where a block lies in one group, it does not matter where.
    const lead = groups === 1 ? 0 : start - group * groupColumns;
    if (last?.groups === groups && last.lead === lead && this.hasSame(last.first, first, groups)) {
      return last.fitted;
    }
    const fitted = fitBlock(weight, row, format, start);
    this.last = { first, groups, lead, fitted };
    return fitted;
  }

  private hasSame(one: number, other: number, groups: number): boolean {
    const { units, offsets } = this.weight;
    for (let i = 0; i < groups; i++) {
      if (units[one + i] !== units[other + i]) return false;
      if (offsets[one + i] !== offsets[other + i]) return false;
    }
    return true;
  }
}
