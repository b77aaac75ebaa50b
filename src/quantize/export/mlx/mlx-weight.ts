import { writeBitStream } from "../../../quant/packings/bit-stream.ts";
import { type AffineWeight, affineWeight } from "../../../quant/blocks/mapping/affine-weight.ts";
import type { QTensor } from "../../../quant/q-tensor.ts";
import { isMoreThanWeights, type Scheme } from "../../../quant/scheme.ts";
import { UnsupportedError } from "../../../util/errors.ts";
import {
  bfloatsToFloats,
  floatsToBfloats,
  floatsToHalves,
  halvesToFloats,
} from "../../../util/half.ts";
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
 * @throws UnsupportedError when MLX cannot hold it, or `dtype` not its scales
 */
export function mlxWeight(module: string, weight: QTensor, dtype: ExportDType): MlxWeight {
  const { outFeatures, inFeatures, scheme } = weight;
  const layout = layoutFor(module, scheme, inFeatures);
  const affine = affineWeight(weight);
  if (!affine) throw refused(module, scheme, "its columns have scales of their own");
  const groups = inFeatures / layout.groupSize;
  const perGroup = affine.groupColumns / layout.groupSize;
  // A loop, since there is a group every few weights: `from` took several times as long.
  const spread = (values: Float64Array, factor: number): Float64Array => {
    if (perGroup === 1 && factor === 1) return values;
    const all = new Float64Array(outFeatures * groups);
    for (let row = 0, at = 0; row < outFeatures; row++) {
      const first = row * affine.groupsPerRow;
      for (let i = 0; i < groups; i++) all[at++] = values[first + ((i / perGroup) | 0)] * factor;
    }
    return all;
  };
  const scales = narrow(spread(affine.units, affine.stride), dtype);
  const biases = narrow(spread(affine.offsets, 1), dtype);
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

/** Rounds to a dtype, and counts what that changes. */
function narrow(
  values: Float64Array,
  dtype: ExportDType,
): { readonly stored: Float32Array | Uint16Array; readonly changed: number } {
  const singles = new Float32Array(values);
  const [stored, widened] = rounded(singles, dtype);
  let changed = 0;
  for (let i = 0; i < values.length; i++) if (widened[i] !== values[i]) changed++;
  return { stored, changed };
}

function rounded(
  values: Float32Array,
  dtype: ExportDType,
): readonly [Float32Array | Uint16Array, Float32Array] {
  if (dtype === "f32") return [values, values];
  const bits = dtype === "f16" ? floatsToHalves(values) : floatsToBfloats(values);
  return [bits, dtype === "f16" ? halvesToFloats(bits) : bfloatsToFloats(bits)];
}
