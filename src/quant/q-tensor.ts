import type { LayerActivations } from "./activation-grid.ts";
import type { PackedOperand } from "../backend/packed-operand.ts";
import { ShapeError } from "../util/errors.ts";
import { halvesToFloats } from "../util/half.ts";
import { sum } from "../util/sums.ts";
import type { BlockScales } from "./blocks/block-format.ts";
import {
  type BlockCodes,
  decodeBlocks,
  packBlocks,
  readBlockScales,
  replaceBlockScales,
  unpackBlockCodes,
  unpackBlockScales,
} from "./blocks/block-weight.ts";
import { decodeCode } from "./grid.ts";
import { expectCodes, type Packing, packedRowBytes } from "./packing.ts";
import {
  expectBlocks,
  expectPlanar,
  expectWholeBlocks,
  type PlanarScheme,
  type Scheme,
  withoutSparse,
} from "./scheme.ts";
import { addSparseRows, type SparseRows } from "./sparse-rows.ts";
import { bytesOfRow, type QTensorSizes, storedSizes } from "./stored-sizes.ts";

/** What a quantizer has chosen for a weight `[outFeatures, inFeatures]`. */
export interface QuantizedCodes {
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** `[outFeatures, inFeatures]`, one code a byte. */
  readonly codes: Uint8Array;
  /** `[outFeatures, groups]`, float16 bits; empty for grids with a codebook. */
  readonly scales: Uint16Array;
  /** `[outFeatures, groups]`: integers below the grid's levels, or float16 bits; if it has any. */
  readonly zeros?: Uint8Array | Uint16Array;
  /** `[inFeatures]`, float16 bits; absent for grids without scales of the inputs. */
  readonly inputScales?: Uint16Array;
  /** `[outFeatures, levels]`, float16 bits, the values of a row's codes; for grids that have it. */
  readonly codebook?: Uint16Array;
  /** The weights beside the codes, for schemes that have such. */
  readonly sparse?: SparseRows;
}

/**
 * The stored arrays of a `QTensor`, as they stand in a file. Under a scheme of blocks they are these
 * blocks, and all others are empty.
 */
export interface QTensorParts {
  /** `[outFeatures, rowBytes]` blocks of codes, scales and offsets; absent where these lie apart. */
  readonly blocks?: Uint8Array | undefined;
  /** `[outFeatures, rowBytes]` packed codes. */
  readonly codes: Uint8Array;
  /** `[outFeatures, groups]` float16 bits; empty for grids with a codebook. */
  readonly scales: Uint16Array;
  /** Zero points of all groups: packed like one row of codes, or float16 bits; null without. */
  readonly zeros: Uint8Array | Uint16Array | null;
  /** `[inFeatures]` float16 bits; absent for grids without scales of the inputs. */
  readonly inputScales?: Uint16Array | undefined;
  /** `[outFeatures, levels]` float16 bits; absent for grids without a codebook. */
  readonly codebook?: Uint16Array | undefined;
  /** What a few weights add to the values of their codes; absent where there are none. */
  readonly sparse?: SparseRows | undefined;
  /** Scales and zero points of inputs and outputs, for schemes that fix them; otherwise null. */
  readonly activations: LayerActivations | null;
}

/** A low-bit weight `[outFeatures, inFeatures]`: packed codes and parameters. Immutable. */
export class QTensor {
  readonly scheme: Scheme;
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly parts: QTensorParts;

  /**
   * @throws ShapeError when the parts do not have the sizes that the scheme gives the shape
   * @throws SchemeError when a row is no whole number of the scheme's blocks
   */
  constructor(scheme: Scheme, outFeatures: number, inFeatures: number, parts: QTensorParts) {
    const sizes = QTensor.sizes(scheme, outFeatures, inFeatures);
    expectBytes("blocks", parts.blocks?.byteLength ?? 0, sizes.blocks);
    expectBytes("codes", parts.codes.byteLength, sizes.codes);
    expectBytes("scales", parts.scales.byteLength, sizes.scales);
    expectBytes("zeros", parts.zeros?.byteLength ?? 0, sizes.zeros);
    expectBytes("input scales", parts.inputScales?.byteLength ?? 0, sizes.inputScales);
    expectBytes("codebook", parts.codebook?.byteLength ?? 0, sizes.codebook);
    expectBytes("sparse weights", bytesOfSparse(parts.sparse), sizes.sparse);
    this.scheme = scheme;
    this.outFeatures = outFeatures;
    this.inFeatures = inFeatures;
    this.parts = parts;
  }

  /**
   * Byte sizes of the parts, without making them.
   * @throws SchemeError when a row is no whole number of the scheme's blocks
   */
  static sizes(scheme: Scheme, outFeatures: number, inFeatures: number): QTensorSizes {
    return storedSizes(scheme, outFeatures, inFeatures);
  }

  /**
   * Packs chosen codes under a scheme that stores them by themselves.
   * @throws SchemeError when a code is outside the grid, or the scheme is one of blocks
   */
  static pack(scheme: Scheme, chosen: QuantizedCodes): QTensor {
    const { outFeatures, inFeatures } = chosen;
    const planar = expectPlanar(scheme);
    const { packing } = planar;
    const sizes = QTensor.sizes(scheme, outFeatures, inFeatures);
    const codes = packCodes(planar, outFeatures, inFeatures, chosen.codes);
    const zeros = chosen.zeros ? packZeros(packing, chosen.zeros, sizes.zeros) : null;
    return new QTensor(scheme, outFeatures, inFeatures, {
      codes,
      scales: chosen.scales,
      zeros,
      inputScales: chosen.inputScales,
      codebook: chosen.codebook,
      sparse: chosen.sparse,
      activations: null,
    });
  }

  /**
   * Packs codes, scales and offsets into the blocks of a scheme.
   * @throws SchemeError when one is outside what the format holds, a row is no whole number of
   *   blocks, or the scheme is not one of blocks
   */
  static packBlocks(scheme: Scheme, chosen: BlockCodes): QTensor {
    const { outFeatures, inFeatures } = chosen;
    const { blocks: format } = expectBlocks(scheme);
    expectWholeBlocks(scheme, inFeatures);
    return QTensor.ofBlocks(scheme, outFeatures, inFeatures, packBlocks(format, chosen));
  }

  /** Takes blocks `[outFeatures, rowBytes]` as they stand in a file, which it does not copy. */
  static ofBlocks(
    scheme: Scheme,
    outFeatures: number,
    inFeatures: number,
    blocks: Uint8Array,
  ): QTensor {
    return new QTensor(scheme, outFeatures, inFeatures, { ...noParts, blocks });
  }

  /** The same codes without the weights beside them. */
  withoutSparse(): QTensor {
    const { scheme, outFeatures, inFeatures, parts } = this;
    const without = { ...parts, sparse: undefined };
    return new QTensor(withoutSparse(scheme), outFeatures, inFeatures, without);
  }

  /** The same weight in a layer of `scheme`, which may round activations by `activations`. */
  withActivations(scheme: Scheme, activations: LayerActivations | null): QTensor {
    return new QTensor(scheme, this.outFeatures, this.inFeatures, { ...this.parts, activations });
  }

  /**
   * The same codes and zero points with other scales, float16 bits: `[outFeatures, groups]` or one
   * for each block, which may have other offsets, too.
   */
  withScales(scales: Uint16Array, offsets: Uint16Array | null = null): QTensor {
    const { scheme, parts, outFeatures, inFeatures } = this;
    if (scheme.blocks && parts.blocks) {
      const replaced = replaceBlockScales(scheme.blocks, parts.blocks, scales, offsets);
      return QTensor.ofBlocks(scheme, outFeatures, inFeatures, replaced);
    }
    return new QTensor(this.scheme, this.outFeatures, this.inFeatures, { ...this.parts, scales });
  }

  /**
   * The same scales and zero points with other codes, `[outFeatures, inFeatures]`, one a byte.
   * @throws SchemeError when a code is outside the grid, or the scheme is one of blocks
   */
  withCodes(codes: Uint8Array): QTensor {
    const { scheme, parts, outFeatures, inFeatures } = this;
    const packed = packCodes(expectPlanar(scheme), outFeatures, inFeatures, codes);
    return new QTensor(scheme, outFeatures, inFeatures, { ...parts, codes: packed });
  }

  /** Stored bytes: codes, scales, zero points or offsets, and what is known of activations. */
  get sizeBytes(): number {
    return QTensor.sizes(this.scheme, this.outFeatures, this.inFeatures).all;
  }

  /** All stored bits over the number of weights. */
  get bitsPerWeight(): number {
    return (this.sizeBytes * 8) / (this.outFeatures * this.inFeatures);
  }

  /** Unpacks the codes, `[outFeatures, inFeatures]`, one a byte. */
  unpackCodes(): Uint8Array {
    const { outFeatures, inFeatures, scheme, parts } = this;
    if (scheme.blocks) return unpackBlockCodes(scheme.blocks, blocksOf(this));
    const rowBytes = packedRowBytes(scheme.packing, inFeatures);
    const out = new Uint8Array(outFeatures * inFeatures);
    for (let row = 0; row < outFeatures; row++) {
      scheme.packing.unpack(parts.codes, row * rowBytes, inFeatures, out, row * inFeatures);
    }
    return out;
  }

  /**
   * Reads the scales and offsets of blocks, float16 bits, without what stands between them.
   * @throws SchemeError when the scheme is not one of blocks
   */
  blockScales(): { readonly scales: Uint16Array; readonly offsets: Uint16Array | null } {
    return readBlockScales(expectBlocks(this.scheme).blocks, blocksOf(this));
  }

  /**
   * Unpacks scales, offsets, and their factors in the groups of blocks, row by row.
   * @throws SchemeError when the scheme is not one of blocks
   */
  unpackBlockScales(): BlockScales {
    return unpackBlockScales(expectBlocks(this.scheme).blocks, blocksOf(this));
  }

  /** Decodes the zero points, `[outFeatures, groups]`; null for grids without zero point. */
  unpackZeros(): Uint8Array | Float32Array | null {
    const { zeros, scales } = this.parts;
    if (!zeros) return null;
    if (zeros instanceof Uint16Array) return halvesToFloats(zeros);
    const out = new Uint8Array(scales.length);
    expectPlanar(this.scheme).packing.unpack(zeros, 0, out.length, out, 0);
    return out;
  }

  /**
   * Describes codes, scales and zero points to kernels, which know no scheme. Scales of the inputs
   * are not in it, nor weights beside the codes: the layer multiplies by them.
   */
  operand(): PackedOperand {
    const { scheme, outFeatures, inFeatures } = this;
    const { grid, groupSize } = scheme;
    const rowBytes = bytesOfRow(scheme, inFeatures);
    const shape = { outFeatures, inFeatures, groupSize: groupSize ?? inFeatures, rowBytes };
    if (scheme.blocks) {
      const { id: format, columns: blockColumns } = scheme.blocks;
      return { ...shape, format, blockColumns, blocks: blocksOf(this) };
    }
    const { codebook } = this.parts;
    const table = codebook ?? grid.values;
    return {
      ...shape,
      layout: scheme.packing,
      codes: this.parts.codes,
      scales: codebook ? new Uint16Array(outFeatures).fill(halfOne) : this.parts.scales,
      zeroPoints: this.parts.zeros,
      origin: grid.origin,
      step: grid.step,
      ...(table && { table }),
    };
  }

  /**
   * Decodes all weights to float32, `[outFeatures, inFeatures]`: the values that packed kernels
   * multiply by, times the scales of the inputs where there are any. They go to `out` if given.
   */
  dequantize(
    out: Float32Array = new Float32Array(this.outFeatures * this.inFeatures),
  ): Float32Array {
    const { inFeatures, outFeatures, scheme } = this;
    if (scheme.blocks) return decodeBlocks(scheme.blocks, blocksOf(this), out);
    const { codebook, sparse } = this.parts;
    if (codebook) {
      decodeCodebook(this, codebook, out);
      if (sparse) addSparseRows(out, inFeatures, sparse);
      return out;
    }
    const { grid, groupSize, packing } = scheme;
    const width = groupSize ?? inFeatures;
    const scales = halvesToFloats(this.parts.scales);
    const zeros = this.unpackZeros();
    const rowBytes = packedRowBytes(packing, inFeatures);
    const codes = new Uint8Array(inFeatures);
    for (let row = 0, i = 0, group = 0; row < outFeatures; row++) {
      packing.unpack(this.parts.codes, row * rowBytes, inFeatures, codes, 0);
      for (let column = 0; column < inFeatures; group++) {
        const scale = scales[group];
        const zero = zeros ? zeros[group] : 0;
        const end = Math.min(inFeatures, column + width);
        for (; column < end; column++, i++) out[i] = scale * decodeCode(grid, codes[column], zero);
      }
    }
    scaleColumns(out, this.parts.inputScales);
    return out;
  }
}

/** Looks the codes up in the values of their rows, which stand for nothing but themselves. */
function decodeCodebook(weight: QTensor, codebook: Uint16Array, out: Float32Array): void {
  const { inFeatures, scheme } = weight;
  const { levels } = scheme.grid;
  const values = halvesToFloats(codebook);
  for (const [i, code] of weight.unpackCodes().entries()) {
    out[i] = values[Math.floor(i / inFeatures) * levels + code];
  }
}

function bytesOfSparse(sparse: SparseRows | undefined): number {
  if (!sparse) return 0;
  return sum([sparse.counts, sparse.columns, sparse.values].map(({ byteLength }) => byteLength));
}

/** Multiplies each column of a matrix by its factor, float16 bits. */
function scaleColumns(matrix: Float32Array, factors: Uint16Array | undefined): void {
  if (!factors) return;
  const columns = halvesToFloats(factors);
  for (let i = 0; i < matrix.length; i++) matrix[i] *= columns[i % columns.length];
}

/** 1 in float16. */
const halfOne = 0x3c00;
const noParts: QTensorParts = {
  codes: new Uint8Array(),
  scales: new Uint16Array(),
  zeros: null,
  activations: null,
};

/** Packs codes `[outFeatures, inFeatures]`, one a byte, row by row. */
function packCodes(
  { packing }: PlanarScheme,
  outFeatures: number,
  inFeatures: number,
  codes: Uint8Array,
): Uint8Array {
  expectBytes("unpacked codes", codes.length, outFeatures * inFeatures);
  expectCodes(packing, codes);
  const rowBytes = packedRowBytes(packing, inFeatures);
  const packed = new Uint8Array(outFeatures * rowBytes);
  for (let row = 0; row < outFeatures; row++) {
    packing.pack(codes, row * inFeatures, inFeatures, packed, row * rowBytes);
  }
  return packed;
}

/** The blocks of a weight; its constructor has seen that they are there. */
function blocksOf({ parts }: QTensor): Uint8Array {
  return parts.blocks ?? new Uint8Array();
}

function packZeros(
  packing: Packing,
  zeros: Uint8Array | Uint16Array,
  sizeBytes: number,
): Uint8Array | Uint16Array {
  if (zeros instanceof Uint16Array) return zeros;
  expectCodes(packing, zeros);
  const packed = new Uint8Array(sizeBytes);
  packing.pack(zeros, 0, zeros.length, packed, 0);
  return packed;
}

function expectBytes(what: string, actual: number, expected: number): void {
  if (actual !== expected) {
    throw new ShapeError(`quantized weight: expected ${expected} bytes of ${what}, got ${actual}`);
  }
}
