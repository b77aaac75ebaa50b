/** How a run of codes lies in bytes; what a kernel needs to know of a packing. */
export interface PackedLayout {
  /** Packing id, such as `int2` or `trits5`. */
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
 *
 * The value of code `c` in group `g = floor(column / groupSize)` of row `r` is
 * `scales[r, g] · c + offsets[r, g]` when `table` is absent (affine grids), otherwise
 * `scales[r, g] · table[c]`.
 */
export interface PackedOperand {
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Columns a group; the last group of a row may be shorter. */
  readonly groupSize: number;
  readonly layout: PackedLayout;
  /** Codes, each row a continuous little-endian stream padded to `rowBytes`. */
  readonly codes: Uint8Array;
  /** Bytes from one row to the next, a multiple of 4. */
  readonly rowBytes: number;
  /** `[outFeatures, groups]`: the step between neighbouring codes. */
  readonly scales: Float32Array;
  /** `[outFeatures, groups]`: the value of code 0 (affine grids). */
  readonly offsets?: Float32Array;
  /** Values of the codes before scaling, length `layout.levels` (table grids). */
  readonly table?: Float32Array;
}

/** A packed operand that a backend has laid out for its machine. Opaque to everyone else. */
export interface PreparedOperand {
  readonly outFeatures: number;
  readonly inFeatures: number;
}
