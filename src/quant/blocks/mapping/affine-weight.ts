import { halfBitsToFloat, halvesToFloats } from "../../../util/half.ts";
import { Scratch } from "../../../util/scratch.ts";
import type { BlockFormat, BlockScales } from "../block-format.ts";
import { allocateScales, groupsPerBlock } from "../block-run.ts";
import type { Grid } from "../../grid.ts";
import type { QTensor } from "../../q-tensor.ts";
import { packedRowBytes } from "../../packing.ts";
import { groupsPerRow, hasEvenLevels, type PlanarScheme } from "../../scheme.ts";

/**
 * A packed weight as what all affine grids and block formats have in common: in group g of row r,
 * code c is
 *
 *     units[r, g] · stride · c + offsets[r, g]
 *
 * rounded to float32 once. Units and offsets are exact; where an offset is a whole number of units,
 * so is every weight of the group.
 */
export interface AffineWeight {
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Columns of a group; the last one of a row may be shorter. */
  readonly groupColumns: number;
  readonly groupsPerRow: number;
  /** Number of different codes. */
  readonly levels: number;
  /** Units between neighbouring codes. */
  readonly stride: 1 | 2;
  /** `[outFeatures, groups]` */
  readonly units: Float64Array;
  /** `[outFeatures, groups]`, values of code 0. */
  readonly offsets: Float64Array;
  /** What units and offsets are made of; null where they stand in blocks. */
  readonly planes: AffinePlanes | null;
  /** Reads the codes of a row, one a byte. */
  readCodes(row: number, into: Uint8Array): void;
}

/**
 * Describes a weight; null where its columns have scales of their own, or its values a table.
 * @param scratch may hold units and offsets until the next weight is described with it
 */
export function affineWeight(weight: QTensor, scratch = new Scratch()): AffineWeight | null {
  const { scheme, parts } = weight;
  if (scheme.blocks && parts.blocks) return ofBlocks(weight, scheme.blocks, parts.blocks);
  const isAffine = !scheme.blocks && !scheme.grid.inputScales && hasEvenLevels(scheme);
  return isAffine ? ofPlanes(weight, scheme, scratch) : null;
}

/**
 * Scales and zero points of a weight whose codes lie by themselves: in group g of row r, code c is
 * `fround(scales[r, g] · unit) · (first + stride · (c − zeros[r, g]))`.
 */
export interface AffinePlanes {
  readonly stride: 1 | 2;
  /** In units of the scale; 1 for integers. */
  readonly unit: number;
  readonly first: number;
  /** `[outFeatures, groups]`, float16 bits. */
  readonly scales: Uint16Array;
  /** `[outFeatures, groups]`; null where there are none. */
  readonly zeros: Uint8Array | Float32Array | null;
}

function ofPlanes(weight: QTensor, scheme: PlanarScheme, scratch: Scratch): AffineWeight {
  const { outFeatures, inFeatures, parts } = weight;
  const { grid, packing, groupSize } = scheme;
  const planes = { ...unitOf(grid), scales: parts.scales, zeros: weight.unpackZeros() };
  const rowBytes = packedRowBytes(packing, inFeatures);
  let units: Float64Array | null = null;
  let offsets: Float64Array | null = null;
  return {
    outFeatures,
    inFeatures,
    groupColumns: groupSize ?? inFeatures,
    groupsPerRow: groupsPerRow(scheme, inFeatures),
    levels: grid.levels,
    stride: planes.stride,
    planes,
    // Made when they are asked for: who reads planes needs none.
    get units() {
      units ??= unitsOf(planes, scratch);
      return units;
    },
    get offsets() {
      offsets ??= offsetsOfPlanes(planes, this.units, scratch);
      return offsets;
    },
    readCodes: (row, into) => packing.unpack(parts.codes, row * rowBytes, inFeatures, into, 0),
  };
}

/** A loop, since there is a group every few weights: `from` and `map` took ten times as long. */
function unitsOf({ unit, scales }: AffinePlanes, scratch: Scratch): Float64Array {
  const units = scratch.doubles("units", scales.length);
  // Only 2/3 makes this round: the values of the grid are rounded there, too.
  for (let group = 0; group < units.length; group++)
    units[group] = Math.fround(halfBitsToFloat(scales[group]) * unit);
  return units;
}

function offsetsOfPlanes(
  { stride, first, zeros }: AffinePlanes,
  units: Float64Array,
  scratch: Scratch,
): Float64Array {
  const offsets = scratch.doubles("offsets", units.length);
  if (zeros) {
    for (let group = 0; group < units.length; group++) {
      offsets[group] = units[group] * (first - stride * zeros[group]);
    }
  } else {
    for (let group = 0; group < units.length; group++) offsets[group] = units[group] * first;
  }
  return offsets;
}

function ofBlocks(weight: QTensor, format: BlockFormat, bytes: Uint8Array): AffineWeight {
  const { outFeatures, inFeatures } = weight;
  const { stride, unit, first } = unitOf(format);
  const scales = weight.unpackBlockScales();
  const perBlock = groupsPerBlock(format);
  const factors = halvesToFloats(scales.scales);
  const units = Float64Array.from(
    { length: factors.length * perBlock },
    (_, group) => factors[Math.floor(group / perBlock)] * (scales.subScales?.[group] ?? 1) * unit,
  );
  const added = offsetsOf(format, scales);
  const blocks = inFeatures / format.columns;
  const scratch = allocateScales(format, blocks);
  return {
    outFeatures,
    inFeatures,
    groupColumns: format.groupColumns,
    groupsPerRow: blocks * perBlock,
    levels: format.levels,
    stride,
    units,
    offsets: units.map((each, group) => each * first + (added?.[group] ?? 0)),
    planes: null,
    readCodes: (row, into) =>
      format.unpack(bytes, row * blocks * format.bytes, blocks, into, 0, scratch, 0),
  };
}

/** What is added to the groups of blocks, with its sign; null where nothing is. */
function offsetsOf(format: BlockFormat, { offsets, subOffsets }: BlockScales): Float64Array | null {
  if (!offsets) return null;
  const perBlock = groupsPerBlock(format);
  const sign = format.offset === "subtracted" ? -1 : 1;
  const factors = halvesToFloats(offsets);
  return Float64Array.from(
    { length: factors.length * perBlock },
    (_, group) => sign * factors[Math.floor(group / perBlock)] * (subOffsets?.[group] ?? 1),
  );
}

/**
 * The unit of which all values are whole multiples, in units of the scale: the step, or half of it
 * where levels lie halfway between multiples, as −3/4 … +3/4 do. `first` is code 0.
 */
function unitOf({ origin, step }: Pick<Grid, "origin" | "step">): {
  readonly stride: 1 | 2;
  readonly unit: number;
  readonly first: number;
} {
  const stride = Number.isInteger(origin / step) ? 1 : 2;
  const unit = step / stride;
  return { stride, unit, first: origin / unit };
}

/**
 * Decodes rows `[first, end)` to float32, `[rows, inFeatures]`: what `QTensor.dequantize` gives for
 * them.
 */
export function decodeRows(weight: AffineWeight, first: number, end: number): Float32Array {
  const { inFeatures, groupColumns, stride } = weight;
  const values = new Float32Array((end - first) * inFeatures);
  const codes = new Uint8Array(inFeatures);
  for (let row = first, at = 0; row < end; row++, at += inFeatures) {
    weight.readCodes(row, codes);
    for (let begin = 0, group = row * weight.groupsPerRow; begin < inFeatures; group++) {
      const last = Math.min(inFeatures, begin + groupColumns);
      const [scale, offset] = [weight.units[group] * stride, weight.offsets[group]];
      for (; begin < last; begin++) values[at + begin] = scale * codes[begin] + offset;
    }
  }
  return values;
}
