import { blockFormats } from "../../quant/blocks/index.ts";
import type { AffineWeight } from "../../quant/blocks/mapping/affine-weight.ts";
import { BlockMapping } from "../../quant/blocks/mapping/block-mapping.ts";
import type { PlanarGrid } from "../../quant/grid.ts";
import { grids } from "../../quant/grids/index.ts";
import { type Packing, packedRowBytes } from "../../quant/packing.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import {
  hasIndependentGroups,
  makeScheme,
  parseScheme,
  type PlanarScheme,
  type Scheme,
} from "../../quant/scheme.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../util/half.ts";

/**
 * A weight `[outFeatures, inFeatures]` as other programs store it: code c of group g is
 * `scales[g]·c + offsets[g]`, computed in float32.
 */
export interface AffineCodes {
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly groupSize: number;
  /** Codes are below `2^bits`. */
  readonly bits: number;
  /** `[outFeatures, groups]` */
  readonly scales: Float32Array;
  /** Their bits, where they are stored in float16. */
  readonly halves?: Uint16Array | null;
  /** `[outFeatures, groups]` */
  readonly offsets: Float32Array;
  /**
   * Rounds to what offsets are stored in, where they are rounded products of scales and zero points;
   * the scheme then has the zero points, and its values are the products themselves. Null where
   * offsets are to be taken as they are.
   */
  readonly round: ((value: number) => number) | null;
  /** Rows of codes as one little-endian stream each, where they are stored so. */
  readonly stream?: Uint8Array;
  /** Reads the codes of a row, one a byte. */
  readonly readCodes: (row: number, into: Uint8Array) => void;
}

/** A scheme that holds a weight. */
export interface HeldWeight {
  readonly scheme: Scheme;
  pack(): QTensor;
}

/**
 * Finds a scheme that holds codes, scales and offsets as they are; null where none does. Tried are
 * grids whose offset is fixed, integer zero points, and blocks with an offset, in this order.
 */
export function holdAffine(stored: AffineCodes): HeldWeight | null {
  const source = withWholeRows(stored);
  const levels = 2 ** source.bits;
  for (const grid of fixedGrids) {
    const held = holdInGrid(source, grid);
    if (held && (grid.levels >= levels || grid.levels > largestCode(source))) return held;
  }
  const zeroed = grids.find((grid) => hasZeros(grid) && grid.bits >= source.bits);
  return (zeroed && holdInGrid(source, zeroed)) ?? holdInBlocks(source);
}

/** One group a row, where all groups of every row are alike. */
function withWholeRows(source: AffineCodes): AffineCodes {
  const { scales, offsets, outFeatures, inFeatures } = source;
  const groups = scales.length / outFeatures;
  for (let i = 0; i < scales.length; i++) {
    const first = i - (i % groups);
    if (scales[i] !== scales[first] || offsets[i] !== offsets[first]) return source;
  }
  const first = (values: Float32Array): Float32Array =>
    Float32Array.from({ length: outFeatures }, (_, row) => values[row * groups]);
  return {
    ...source,
    groupSize: inFeatures,
    scales: first(scales),
    halves: null,
    offsets: first(offsets),
  };
}

function largestCode(source: AffineCodes): number {
  const codes = new Uint8Array(source.inFeatures);
  let largest = 0;
  for (let row = 0; row < source.outFeatures; row++) {
    source.readCodes(row, codes);
    for (let i = 0; i < codes.length; i++) if (codes[i] > largest) largest = codes[i];
  }
  return largest;
}

/** Grids of even levels with nothing but a scale a group. */
const fixedGrids = grids.filter((grid) => {
  const isAffine = hasIndependentGroups(makeScheme(grid, null)) && !grid.values;
  return isAffine && grid.zeroPoint === "none" && !grid.normalizedOutputs;
});

function hasZeros(grid: PlanarGrid): boolean {
  return grid.zeroPoint === "integer";
}

/** Holds a weight in `scale·(origin + step·(code − zero))`; null where a scale or offset is none. */
function holdInGrid(source: AffineCodes, grid: PlanarGrid): HeldWeight | null {
  const { groupSize, inFeatures } = source;
  const zeros = hasZeros(grid) ? new Uint8Array(source.scales.length) : undefined;
  if (!fillZeros(source, grid, zeros)) return null;
  const scales = halvesOf(source, grid.step);
  if (!scales) return null;
  const scheme = makeScheme(grid, groupSize === inFeatures ? null : groupSize);
  return { scheme, pack: () => packIn(source, scheme, scales, zeros) };
}

/** Finds the zero points that offsets are products of; returns whether there is one for each. */
function fillZeros(
  { scales: units, offsets, round }: AffineCodes,
  { origin, step, levels }: PlanarGrid,
  zeros: Uint8Array | undefined,
): boolean {
  for (let i = 0; i < units.length; i++) {
    const unit = units[i];
    const zero = zeros && unit !== 0 ? Math.round(-offsets[i] / unit) : 0;
    if (!(zero >= 0 && zero < levels)) return false;
    if (zeros) zeros[i] = zero;
    const first = origin === 0 ? 0 : (unit / step) * origin;
    const product = first - unit * zero;
    // A product of 0 is −0 in other programs.
    if (product !== offsets[i] && (!round || round(product) !== offsets[i])) return false;
  }
  return true;
}

/** Scales over the step of a grid, float16 bits; null where one is no float16 value. */
function halvesOf({ scales: units, halves }: AffineCodes, step: number): Uint16Array | null {
  if (halves && step === 1) return halves;
  const scales = new Uint16Array(units.length);
  for (let i = 0; i < units.length; i++) {
    const scale = units[i] / step;
    scales[i] = floatToHalfBits(scale);
    if (halfBitsToFloat(scales[i]) !== scale) return null;
  }
  return scales;
}

function packIn(
  source: AffineCodes,
  scheme: PlanarScheme,
  scales: Uint16Array,
  zeros: Uint8Array | undefined,
): QTensor {
  const { outFeatures, inFeatures } = source;
  const rowBytes = packedRowBytes(scheme.packing, inFeatures);
  const isSame = scheme.grid.bits === source.bits && rowBytes === (inFeatures * source.bits) / 8;
  if (isSame && source.stream) {
    const packed = zeros ? packRun(scheme.packing, zeros) : null;
    const parts = { codes: source.stream, scales, zeros: packed, activations: null };
    return new QTensor(scheme, outFeatures, inFeatures, parts);
  }
  const codes = new Uint8Array(outFeatures * inFeatures);
  for (let row = 0; row < outFeatures; row++) {
    source.readCodes(row, codes.subarray(row * inFeatures, (row + 1) * inFeatures));
  }
  return QTensor.pack(scheme, { outFeatures, inFeatures, codes, scales, ...(zeros && { zeros }) });
}

function packRun(packing: Packing, codes: Uint8Array): Uint8Array {
  const packed = new Uint8Array(packedRowBytes(packing, codes.length));
  packing.pack(codes, 0, codes.length, packed, 0);
  return packed;
}

/** Blocks of a scale and an offset of their own each, from few bits to many. */
const offsetBlocks = blockFormats.filter(
  ({ offset, groupColumns, columns }) => offset === "added" && groupColumns === columns,
);

function holdInBlocks(source: AffineCodes): HeldWeight | null {
  const { outFeatures, inFeatures, groupSize, bits, scales, offsets } = source;
  const affine: AffineWeight = {
    outFeatures,
    inFeatures,
    groupColumns: groupSize,
    groupsPerRow: scales.length / outFeatures,
    levels: 2 ** bits,
    stride: 1,
    units: Float64Array.from(scales),
    offsets: Float64Array.from(offsets),
    planes: null,
    readCodes: source.readCodes,
  };
  for (const format of offsetBlocks) {
    const fits = inFeatures % format.columns === 0 && format.levels >= affine.levels;
    if (!fits) continue;
    const mapping = new BlockMapping(affine, format);
    if (mapping.kind() !== "exact") continue;
    const scheme = parseScheme(format.id);
    const blocks = (): Uint8Array => mapping.rows(0, outFeatures);
    return { scheme, pack: () => QTensor.ofBlocks(scheme, outFeatures, inFeatures, blocks()) };
  }
  return null;
}

/** Decodes to float32, `[outFeatures, inFeatures]`. */
export function decodeAffine(source: AffineCodes): Float32Array {
  const { outFeatures, inFeatures, groupSize, scales, offsets } = source;
  const values = new Float32Array(outFeatures * inFeatures);
  const codes = new Uint8Array(inFeatures);
  const groups = scales.length / outFeatures;
  for (let row = 0, at = 0; row < outFeatures; row++, at += inFeatures) {
    source.readCodes(row, codes);
    for (let group = 0; group < groups; group++) {
      const [scale, offset] = [scales[row * groups + group], offsets[row * groups + group]];
      const end = Math.min(inFeatures, (group + 1) * groupSize);
      for (let i = group * groupSize; i < end; i++) {
        values[at + i] = Math.fround(scale * codes[i]) + offset;
      }
    }
  }
  return values;
}
