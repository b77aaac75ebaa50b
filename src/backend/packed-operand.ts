/** How a run of codes lies in bytes; what a kernel needs to know of a packing. */
export interface PackedLayout {
  /** Packing id, such as `bits2` or `trits5`. */
  readonly packing: string;
  /** Codes that share one unit of bytes: 8 for 3-bit codes in 3 bytes, 5 for trits in one byte. */
  readonly codesPerUnit: number;
  /** Bytes of one unit. */
  readonly bytesPerUnit: number;
  /** Number of different codes. */
  readonly levels: number;
}

/**
 * A low-bit weight `Ŵ [outFeatures, inFeatures]` as kernels see it: no scheme, no grid, no method.
 * The arrays are those of the file, so that they may be mapped from it.
 */
export type PackedOperand = PlanarOperand | BlockOperand;

/**
 * A weight whose codes, scales and zero points lie apart.
 *
 * The value of code `c` in group `g = floor(column / groupSize)` of row `r` is
 * `scales[r, g] · (origin + step · (c − zeroPoints[r, g]))`; with a table, `scales[r, g] · table[c]`.
 */
export interface PlanarOperand {
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Columns a group; the last group of a row may be shorter. */
  readonly groupSize: number;
  readonly layout: PackedLayout;
  /** Codes, each row a continuous little-endian stream padded to `rowBytes`. */
  readonly codes: Uint8Array;
  /** Bytes from one row to the next, a multiple of 4. */
  readonly rowBytes: number;
  /** `[outFeatures, groups]` float16 bits. */
  readonly scales: Uint16Array;
  /**
   * Zero points of `[outFeatures, groups]`: bytes hold integers packed by `layout`, all groups as
   * one run; 16-bit elements hold float16 bits; null stands for zeros.
   */
  readonly zeroPoints: Uint8Array | Uint16Array | null;
  /** Value of code 0 at zero point 0, and distance of neighbouring codes, in units of the scale. */
  readonly origin: number;
  readonly step: number;
  /**
   * Values of the codes in units of the scale where they are not evenly spaced: `[levels]` of all
   * rows, or float16 bits `[outFeatures, levels]` of each row. Then there are no zero points.
   */
  readonly table?: Float32Array | Uint16Array;
}

/** A weight whose rows are runs of blocks, each of codes, scales and offsets. */
export interface BlockOperand {
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Columns a group, a part of a block. */
  readonly groupSize: number;
  /** Id of the format of the blocks, such as `q4_k`. */
  readonly format: string;
  /** Columns a block; a row is a whole number of blocks. */
  readonly blockColumns: number;
  /** `[outFeatures, rowBytes]` */
  readonly blocks: Uint8Array;
  /** Bytes from one row to the next. */
  readonly rowBytes: number;
}

/** Columns that share a scale that is stored: those of a group, or of a block. */
export function scaleColumns(operand: PackedOperand): number {
  return "blocks" in operand ? operand.blockColumns : operand.groupSize;
}

/** A packed operand that a backend has laid out for its machine. Opaque to everyone else. */
export interface PreparedOperand {
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Operands of one kind can share `normedPackedMatmul`. */
  readonly kind: string;
}

/**
 * How packed weights are multiplied. `exact`: the inputs stay float32. `fast`: each run of inputs
 * that `activationBlock` gives is first rounded to 8-bit integers with a scale of its own, and the
 * values of a table to 7-bit ones (`roundTable`), so that products are sums of integers.
 */
export type Products = "exact" | "fast";

const largestActivationBlock = 128;

/**
 * Columns of the input that share an 8-bit scale in `fast` products: a group or a block of the
 * weight, or runs of 128 columns of a larger one. Values are `rne(127 · x / max|x|)`; a run below
 * 2⁻¹²⁰ counts as zero.
 */
export function activationBlock(scaleColumns: number): number {
  return Math.min(scaleColumns, largestActivationBlock);
}
