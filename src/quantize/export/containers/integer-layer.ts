import { type AffineWeight, affineWeight } from "../../../quant/blocks/mapping/affine-weight.ts";
import type { ActivationGrid } from "../../../quant/activation-grid.ts";
import type { QTensor } from "../../../quant/q-tensor.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../../util/half.ts";

/**
 * A packed weight as integers: in each group `unit · (stride · code + base)`, with units in float16
 * and a whole base.
 */
export interface IntegerLayer {
  readonly weight: QTensor;
  readonly affine: AffineWeight;
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Columns of a group. */
  readonly groupColumns: number;
  readonly groups: number;
  /** `[outFeatures, groups]`, float16 bits. */
  readonly units: Uint16Array;
  /** `[outFeatures, groups]` */
  readonly bases: Int32Array;
  /** The lowest and highest integer that a code may stand for. */
  readonly low: number;
  readonly high: number;
  /** Whether units were rounded to float16. */
  readonly rounded: boolean;
  readonly activation: ActivationGrid | null;
}

/** Describes a weight; null where its values are no integers times a unit of their group. */
export function integerLayer(weight: QTensor): IntegerLayer | null {
  const affine = affineWeight(weight);
  if (!affine) return null;
  const { units, offsets, stride, levels } = affine;
  const halves = new Uint16Array(units.length);
  const bases = new Int32Array(units.length);
  let [low, high, rounded] = [Infinity, -Infinity, false];
  for (let group = 0; group < units.length; group++) {
    const unit = units[group];
    const base = unit === 0 ? bases[Math.max(0, group - 1)] : offsets[group] / unit;
    if (!Number.isInteger(base) || Math.abs(base) > 2 ** 16) return null;
    bases[group] = base;
    halves[group] = floatToHalfBits(unit);
    const kept = halfBitsToFloat(halves[group]);
    if (!Number.isFinite(kept)) return null;
    rounded ||= kept !== unit;
    low = Math.min(low, base);
    high = Math.max(high, base + stride * (levels - 1));
  }
  return {
    weight,
    affine,
    outFeatures: weight.outFeatures,
    inFeatures: weight.inFeatures,
    groupColumns: affine.groupColumns,
    groups: affine.groupsPerRow,
    units: halves,
    bases,
    low,
    high,
    rounded,
    activation: weight.scheme.activation,
  };
}

/** How integers are stored: `unit · (stored − zero)`. */
export interface IntegerForm {
  readonly bits: number;
  /** Whether the zero is 2^(bits − 1) everywhere. */
  readonly symmetric: boolean;
  /** Columns of a group; null: one group a row. */
  readonly groupSize: number | null;
  readonly activation: ActivationGrid | null;
  readonly outFeatures: number;
  readonly inFeatures: number;
}

/** The smallest form of some bit-widths that holds a layer; null where none does. */
export function integerForm(layer: IntegerLayer, bits: readonly number[]): IntegerForm | null {
  const { low, high, affine, groups, groupColumns, activation, outFeatures, inFeatures } = layer;
  const span = affine.stride * (affine.levels - 1);
  for (const width of bits.toSorted((a, b) => a - b)) {
    const half = 2 ** (width - 1);
    const symmetric = low >= -half && high < half;
    const zeroed = span < 2 * half && layer.bases.every((base) => base <= 0 && base > -2 * half);
    if (!symmetric && !zeroed) continue;
    const groupSize = groups === 1 ? null : groupColumns;
    return { bits: width, symmetric, groupSize, activation, outFeatures, inFeatures };
  }
  return null;
}

/** Zero points of a form, `[outFeatures, groups]`. */
export function zerosOf({ bases }: IntegerLayer, { bits, symmetric }: IntegerForm): Uint8Array {
  const half = 2 ** (bits - 1);
  return Uint8Array.from(bases, (base) => (symmetric ? half : -base));
}

/** Reads the stored integers of a row, one a byte. */
export function readStored(
  layer: IntegerLayer,
  { bits, symmetric }: IntegerForm,
  row: number,
  into: Uint8Array,
): void {
  const { affine, bases, groupColumns, groups } = layer;
  const { stride } = affine;
  affine.readCodes(row, into);
  if (!symmetric && stride === 1) return;
  const half = 2 ** (bits - 1);
  for (let begin = 0, group = row * groups; begin < into.length; group++) {
    const end = Math.min(into.length, begin + groupColumns);
    const added = symmetric ? bases[group] + half : 0;
    for (; begin < end; begin++) into[begin] = stride * into[begin] + added;
  }
}

/** Whether codes are stored as they are, in rows of whole words that a form has, too. */
export function keepsRows(layer: IntegerLayer, { bits, symmetric }: IntegerForm): boolean {
  const { weight, affine, bases } = layer;
  const half = 2 ** (bits - 1);
  const isSame = !symmetric || bases.every((base) => base === -half);
  return weight.scheme.packing?.packing === `bits${bits}` && affine.stride === 1 && isSame;
}
