import { writeBitStream } from "../../../quant/packings/bit-stream.ts";
import { type AffineWeight, affineWeight } from "../../../quant/blocks/mapping/affine-weight.ts";
import type { QTensor } from "../../../quant/q-tensor.ts";
import { isMoreThanWeights, type Scheme } from "../../../quant/scheme.ts";
import { UnsupportedError } from "../../../util/errors.ts";
import {
  bfloatBitsToFloat,
  floatToBfloatBits,
  floatToHalfBits,
  halfBitsToFloat,
} from "../../../util/half.ts";
import { Scratch } from "../../../util/scratch.ts";
import type { ExportDType } from "../export-format.ts";

/** How a packed weight lies in MLX's affine form. */
export interface MlxLayout {
  readonly bits: number;
  readonly groupSize: number;
}

/** A packed weight in MLX's affine form: `scale·code + bias`. */
export interface MlxWeight extends MlxLayout {
  /** `[out, in·bits/8]` bytes of little-endian streams, one a row. */
  readonly codes: Uint8Array;
  /** `[out, in/groupSize]`, in the dtype that was asked for. */
  readonly scales: Float32Array | Uint16Array;
  readonly biases: Float32Array | Uint16Array;
  /** How many of the biases had to be rounded. */
  readonly rounded: number;
}

const offeredBits = [2, 3, 4, 5, 6, 8];
const offeredGroups = [128, 64, 32];

/**
 * Finds the bits and the group size that hold a scheme's weight `[…, inFeatures]`.
 * @throws UnsupportedError when MLX has no such codes, groups or layers
 */
export function layoutFor(module: string, scheme: Scheme, inFeatures: number): MlxLayout {
  const { grid, blocks, groupSize } = scheme;
  const isEven = !grid.inputScales && !grid.values && !grid.codebook;
  if (!isEven) throw refused(module, scheme, "its values are not evenly spaced in a group");
  if (isMoreThanWeights(scheme))
    throw refused(module, scheme, "its layers round their inputs, too");
  const own = blocks ? blocks.groupColumns : (groupSize ?? inFeatures);
  const group = offeredGroups.find((size) => own % size === 0 && inFeatures % size === 0);
  if (!group) {
    throw refused(
      module,
      scheme,
      `its groups of ${own} columns are no whole ones of 32, 64 or 128`,
    );
  }
  const bits = offeredBits.find((each) => 2 ** each >= grid.levels) ?? 8;
  return { bits, groupSize: group };
}

function refused(module: string, { id }: Scheme, why: string): UnsupportedError {
  return new UnsupportedError(`MLX cannot hold ${module}, of the scheme ${id}: ${why}`, {
    hint: "`format: hf` writes decoded weights, which MLX loads, too",
  });
}

/**
 * Rewrites a packed weight, code by code. Scales stay as they are; a bias is −scale·zero, rounded to
 * `dtype` where that does not hold the product.
 * @param scratch may hold scales and biases until the next weight is rewritten with it
 * @throws UnsupportedError when MLX cannot hold it, or `dtype` not its scales
 */
export function mlxWeight(
  module: string,
  weight: QTensor,
  dtype: ExportDType,
  scratch = new Scratch(),
): MlxWeight {
  const { inFeatures, scheme } = weight;
  const layout = layoutFor(module, scheme, inFeatures);
  const affine = affineWeight(weight, scratch);
  if (!affine) throw refused(module, scheme, "its columns have scales of their own");
  const narrowed = (name: string, values: Float64Array, factor: number): Narrowed =>
    narrow(spread(values, affine, layout.groupSize, factor, scratch), dtype, scratch, name);
  const { planes, stride } = affine;
  const isSpread = affine.groupColumns !== layout.groupSize;
  const areStored = planes?.unit === 1 && stride === 1 && !isSpread && dtype === "f16";
  const scales = areStored
    ? { stored: planes.scales, changed: 0 }
    : narrowed("mlx scales", affine.units, stride);
  const biases = narrowed("mlx biases", affine.offsets, 1);
  if (scales.changed > 0) {
    throw new UnsupportedError(`${module}: ${scales.changed} scales are no values of ${dtype}`, {
      hint: "export with `dtype: f32`, which holds them",
      field: "dtype",
      value: dtype,
    });
  }
  return {
    ...layout,
    codes: streamsOf(weight, affine, layout.bits),
    scales: scales.stored,
    biases: biases.stored,
    rounded: biases.changed,
  };
}

/** Rows of codes as streams; those of the scheme where they are such streams already. */
function streamsOf({ scheme, parts }: QTensor, affine: AffineWeight, bits: number): Uint8Array {
  if (scheme.packing?.packing === `bits${bits}`) return parts.codes;
  const { outFeatures, inFeatures } = affine;
  const rowBytes = (inFeatures * bits) / 8;
  const codes = new Uint8Array(outFeatures * rowBytes);
  const row = new Uint8Array(inFeatures);
  for (let r = 0; r < outFeatures; r++) {
    affine.readCodes(r, row);
    writeBitStream(row, bits, codes, r * rowBytes);
  }
  return codes;
}

/** Values of groups, times a factor, for the smaller groups that these are made of. */
function spread(
  values: Float64Array,
  { outFeatures, inFeatures, groupColumns, groupsPerRow }: AffineWeight,
  groupSize: number,
  factor: number,
  scratch: Scratch,
): Float64Array {
  const perGroup = groupColumns / groupSize;
  if (perGroup === 1 && factor === 1) return values;
  const groups = inFeatures / groupSize;
  const all = scratch.doubles("spread", outFeatures * groups);
  for (let first = 0, at = 0; at < all.length; first += groupsPerRow) {
    for (let i = 0; i < groups; i++) all[at++] = values[first + ((i / perGroup) | 0)] * factor;
  }
  return all;
}

interface Narrowed {
  readonly stored: Float32Array | Uint16Array;
  /** How many values were rounded. */
  readonly changed: number;
}

/** Rounds to a dtype, and counts what that changes. */
function narrow(
  values: Float64Array,
  dtype: ExportDType,
  scratch: Scratch,
  name: string,
): Narrowed {
  let changed = 0;
  if (dtype === "f32") {
    const stored = scratch.floats(name, values.length);
    for (let i = 0; i < values.length; i++) {
      stored[i] = values[i];
      if (stored[i] !== values[i]) changed++;
    }
    return { stored, changed };
  }
  const stored = scratch.halves(name, values.length);
  if (dtype === "f16") {
    for (let i = 0; i < values.length; i++) {
      stored[i] = floatToHalfBits(values[i]);
      if (halfBitsToFloat(stored[i]) !== values[i]) changed++;
    }
    return { stored, changed };
  }
  for (let i = 0; i < values.length; i++) {
    stored[i] = floatToBfloatBits(values[i]);
    if (bfloatBitsToFloat(stored[i]) !== values[i]) changed++;
  }
  return { stored, changed };
}
