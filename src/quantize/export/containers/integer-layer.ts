import {
  type AffinePlanes,
  type AffineWeight,
  affineWeight,
} from "../../../quant/blocks/mapping/affine-weight.ts";
import type { ActivationGrid } from "../../../quant/activation-grid.ts";
import type { QTensor } from "../../../quant/q-tensor.ts";
import { countNonFiniteBits, floatToHalfBits, halfBitsToFloat } from "../../../util/half.ts";
import { Scratch } from "../../../util/scratch.ts";
import { halfProducts } from "./half-products.ts";

/**
 * A packed weight as integers: in each group `unit · (stride · code + base)`, with units in float16
 * and a whole base.
 */
export interface IntegerLayer extends Integers {
  readonly weight: QTensor;
  readonly affine: AffineWeight;
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Columns of a group. */
  readonly groupColumns: number;
  readonly groups: number;
  readonly activation: ActivationGrid | null;
}

interface Integers {
  /** `[outFeatures, groups]`, float16 bits. */
  readonly units: Uint16Array;
  /** `[outFeatures, groups]` */
  readonly bases: Int32Array;
  /** The lowest and the highest base. */
  readonly low: number;
  readonly high: number;
  /** Whether units were rounded to float16. */
  readonly rounded: boolean;
}

/**
 * Describes a weight; null where its values are no integers times a unit of their group.
 * @param scratch holds the bases until the next weight is described with it
 */
export function integerLayer(weight: QTensor, scratch = new Scratch()): IntegerLayer | null {
  const affine = affineWeight(weight);
  if (!affine) return null;
  const integers = affine.planes ? ofPlanes(affine.planes, scratch) : ofFloats(affine);
  if (!integers) return null;
  return {
    ...integers,
    weight,
    affine,
    outFeatures: weight.outFeatures,
    inFeatures: weight.inFeatures,
    groupColumns: affine.groupColumns,
    groups: affine.groupsPerRow,
    activation: weight.scheme.activation,
  };
}

/** Bases are whole numbers up to this one. */
const largestBase = 2 ** 16;

function ofFloats({ units, offsets }: AffineWeight): Integers | null {
  const halves = new Uint16Array(units.length);
  const bases = new Int32Array(units.length);
  let rounded = false;
  for (let group = 0; group < units.length; group++) {
    const unit = units[group];
    const base = unit === 0 ? 0 : offsets[group] / unit;
    bases[group] = base;
    if (bases[group] !== base || Math.abs(base) > largestBase) return null;
    const half = floatToHalfBits(unit);
    halves[group] = half;
    rounded ||= halfBitsToFloat(half) !== unit;
  }
  return settled(halves, bases, rounded);
}

/** Units are as they are or looked up, and zero points say the bases: nothing is divided. */
function ofPlanes(
  { unit, stride, first, scales, zeros }: AffinePlanes,
  scratch: Scratch,
): Integers | null {
  if (!Number.isInteger(first)) return null;
  const { units, rounded } =
    unit === 1 ? { units: scales, rounded: false } : multiply(scales, unit);
  const bases = scratch.integers("bases", scales.length);
  if (zeros instanceof Uint8Array)
    return ofWholeZeros({ units, rounded, bases }, zeros, first, stride);
  if (!zeros) bases.fill(first);
  else if (!addFloatZeros(bases, units, zeros, first, stride)) return null;
  return settled(units, bases, rounded);
}

function multiply(
  scales: Uint16Array,
  factor: number,
): { readonly units: Uint16Array; readonly rounded: boolean } {
  const products = halfProducts(factor);
  const units = new Uint16Array(scales.length);
  let rounded = 0;
  for (let group = 0; group < scales.length; group++) {
    units[group] = products.bits[scales[group]];
    rounded |= products.rounded[scales[group]];
  }
  return { units, rounded: rounded !== 0 };
}

/** Returns whether all bases are whole numbers, but for groups whose unit is 0. */
function addFloatZeros(
  bases: Int32Array,
  units: Uint16Array,
  zeros: Float32Array,
  first: number,
  stride: number,
): boolean {
  for (let group = 0; group < zeros.length; group++) {
    const base = isZero(units[group]) ? 0 : first - stride * zeros[group];
    bases[group] = base;
    if (bases[group] !== base || Math.abs(base) > largestBase) return false;
  }
  return true;
}

function isZero(half: number): boolean {
  return (half & 0x7fff) === 0;
}

/** Groups whose unit is 0 have any base: they get that of the group before them. */
function settled(units: Uint16Array, bases: Int32Array, rounded: boolean): Integers | null {
  if (countNonFiniteBits(units, 0x7c00) > 0) return null;
  let last = bases[firstUnit(units)] ?? 0;
  let [low, high] = [last, last];
  for (let group = 0; group < units.length; group++) {
    if (!isZero(units[group])) last = bases[group];
    bases[group] = last;
    if (last < low) low = last;
    if (last > high) high = last;
  }
  return { units, bases, low, high, rounded };
}

/** Fills in bases `first − stride·zero` and settles them at once: most weights have such. */
function ofWholeZeros(
  { units, bases, rounded }: Pick<Integers, "units" | "bases" | "rounded">,
  zeros: Uint8Array,
  first: number,
  stride: number,
): Integers | null {
  if (countNonFiniteBits(units, 0x7c00) > 0) return null;
  const start = first | 0;
  const begin = firstUnit(units);
  let last = begin < units.length ? start - stride * zeros[begin] : 0;
  let [low, high] = [last, last];
  for (let group = 0; group < units.length; group++) {
    if (!isZero(units[group])) last = (start - stride * zeros[group]) | 0;
    bases[group] = last;
    if (last < low) low = last;
    if (last > high) high = last;
  }
  return { units, bases, low, high, rounded };
}

/** The first group whose unit is not 0. */
function firstUnit(units: Uint16Array): number {
  let group = 0;
  while (group < units.length && isZero(units[group])) group++;
  return group;
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
    const symmetric = low >= -half && high + span < half;
    const zeroed = span < 2 * half && high <= 0 && low > -2 * half;
    if (!symmetric && !zeroed) continue;
    const groupSize = groups === 1 ? null : groupColumns;
    return { bits: width, symmetric, groupSize, activation, outFeatures, inFeatures };
  }
  return null;
}

/** Zero points of a form, `[outFeatures, groups]`. */
export function zerosOf(
  { bases }: IntegerLayer,
  { bits, symmetric }: IntegerForm,
  scratch: Scratch,
): Uint8Array {
  const zeros = scratch.bytes("zeros", bases.length);
  if (symmetric) return zeros.fill(2 ** (bits - 1));
  for (let group = 0; group < bases.length; group++) zeros[group] = -bases[group];
  return zeros;
}

/** What is added to every code, times the stride, where that is the same in all groups. */
export function commonShift({ low, high }: IntegerLayer, form: IntegerForm): number | null {
  if (!form.symmetric) return 0;
  return low === high ? low + 2 ** (form.bits - 1) : null;
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
