/** Ids of the block formats: names of ggml's types in lower case, which are scheme ids, too. */
export type BlockFormatId =
  | "q4_0"
  | "q4_1"
  | "q5_0"
  | "q5_1"
  | "q8_0"
  | "q2_k"
  | "q3_k"
  | "q4_k"
  | "q5_k"
  | "q6_k"
  | "tq1_0"
  | "tq2_0"
  | "q1_0"
  | "q2_0";

/** Scales and offsets of a run of blocks, as they are stored. */
export interface BlockScales {
  /** `[blocks]` float16 bits. */
  readonly scales: Uint16Array;
  /** `[blocks]` float16 bits; null for formats without offsets. */
  readonly offsets: Uint16Array | null;
  /** `[blocks, groups]`: factors of the block's scale; null where a block is one group. */
  readonly subScales: Int8Array | null;
  /** `[blocks, groups]`: factors of the block's offset; null where a block is one group. */
  readonly subOffsets: Uint8Array | null;
}

/**
 * How codes, scales and offsets of a run of columns of a row lie together in bytes: an affine type
 * of ggml. A row is a whole number of blocks. The value of code c in group g of block b is
 *
 *     scale[b] · subScale[g] · (origin + step · c) ± offset[b] · subOffset[g]
 *
 * where factors that a format does not have are 1. In float32 only the last addition rounds.
 */
export interface BlockFormat {
  readonly id: BlockFormatId;
  /** Nominal bits of a code: 1, 1.58, 2, 3, 4, 5, 6, 8. */
  readonly bits: number;
  /** Columns and bytes of one block. */
  readonly columns: number;
  readonly bytes: number;
  /** Where in a block the float16 of its scale stands, and that of its offset if it has one. */
  readonly scaleAt: number;
  readonly offsetAt: number | null;
  /** Columns of a group: those that share a sub-scale, or all of a block. */
  readonly groupColumns: number;
  /** Number of different codes. */
  readonly levels: number;
  /** Value of code 0 and distance of neighbouring codes, in units of the group's scale. */
  readonly origin: number;
  readonly step: number;
  /** Whether the offset of a group is added (Q4_1), subtracted (Q4_K), or there is none. */
  readonly offset: "none" | "added" | "subtracted";
  /** Least and largest sub-scale; null where the block's scale is that of its weights. */
  readonly subScaleRange: readonly [low: number, high: number] | null;
  /** Largest sub-offset; null where there are none. */
  readonly largestSubOffset: number | null;
  /**
   * Takes `count` blocks from `bytes[at]` on apart: codes one a byte into `codes[to]` on, scales
   * into `scales` from block `block` on.
   */
  unpack(
    bytes: Uint8Array,
    at: number,
    count: number,
    codes: Uint8Array,
    to: number,
    scales: BlockScales,
    block: number,
  ): void;
  /** Puts `count` blocks together, the reverse of `unpack`. */
  pack(
    codes: Uint8Array,
    from: number,
    scales: BlockScales,
    block: number,
    count: number,
    bytes: Uint8Array,
    at: number,
  ): void;
}
