import type { AffineWeight } from "../../../quant/blocks/mapping/affine-weight.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../../util/half.ts";
import { Scratch } from "../../../util/scratch.ts";

/** What the graph computes in: of the products and the cache. */
export type ComputeType = "f32" | "f16";

/** Bits of a code in `MatMulNBits` and `GatherBlockQuantized`. */
export type CodeBits = 2 | 4 | 8;

/** Block sizes for which runtimes have kernels. */
const blockSizes = [16, 32, 64, 128, 256] as const;

/**
 * How a packed weight stands in a graph: `ŵ = (q − zero)·scale` in blocks of a row's columns, with
 * `q = stride·code + shift`.
 */
export interface PackedPlan {
  readonly kind: "packed";
  readonly bits: CodeBits;
  readonly blockSize: number;
  /** Blocks of a row; the last one may be filled up. */
  readonly blocks: number;
  readonly stride: 1 | 2;
  readonly shift: number;
  /** Whether blocks have zero points: none where all are `2^(bits − 1)`. */
  readonly zeros: "none" | "integer" | "float";
  readonly compute: ComputeType;
  /** Whether every weight keeps its float32 value; otherwise scales or zero points are rounded. */
  readonly isExact: boolean;
}

/** Why a packed weight cannot stand in a graph, and what could. */
export interface PackedFault {
  readonly kind: "fault";
  readonly why: string;
  readonly hint: string;
}

const lostOffsets: PackedFault = {
  kind: "fault",
  why: "groups whose scale is 0 have an offset, which no zero point can say",
  hint: "quantize to a scheme such as w4g32, or export GGUF",
};

/** Decides how a packed weight stands in a graph. */
export function planPacked(
  weight: AffineWeight,
  compute: ComputeType,
  scratch = new Scratch(),
): PackedPlan | PackedFault {
  const points = zeroPoints(weight, scratch);
  const zeros = readZeros(points);
  if (isLost(weight)) return lostOffsets;
  const coded = zeros.areWhole ? wholeCodes(weight, zeros) : fractionalCodes(weight);
  if (coded.bits === 8 && coded.zeros === "float") {
    return {
      kind: "fault",
      why: "8-bit codes with fractional zero points: runtimes take these with 2 and 4 bits only",
      hint: "quantize to w8g64 or w8g64-sym, whose zero points are whole",
    };
  }
  const blockSize = blockSizeOf(weight, coded.bits, compute);
  if (blockSize === null) {
    return {
      kind: "fault",
      why: `groups of ${weight.groupColumns} columns are no whole number of blocks of 16`,
      hint: "quantize with a group of 16, 32, 48, 64, 128 or another multiple of 16",
    };
  }
  return {
    kind: "packed",
    ...coded,
    blockSize,
    blocks: Math.ceil(weight.inFeatures / blockSize),
    stride: weight.stride,
    compute,
    isExact:
      holdsUnits(weight, compute) &&
      (coded.zeros !== "float" || holdsZeros(points, weight, compute)),
  };
}

/** Zero points in units of the codes that are written, before they are shifted. */
interface Zeros {
  readonly least: number;
  readonly most: number;
  readonly areWhole: boolean;
}

function readZeros(points: Float64Array): Zeros {
  let [least, most, areWhole] = [Infinity, -Infinity, true];
  for (let group = 0; group < points.length; group++) {
    const zero = points[group];
    if (zero < least) least = zero;
    if (zero > most) most = zero;
    if (zero - Math.floor(zero) > 0) areWhole = false;
  }
  return least > most ? { least: 0, most: 0, areWhole } : { least, most, areWhole };
}

/** Whether a group has an offset and no unit; scales and zero points that lie apart give none. */
function isLost(weight: AffineWeight): boolean {
  if (weight.planes) return false;
  const { units, offsets } = weight;
  return units.some((unit, group) => unit === 0 && offsets[group] !== 0);
}

/** Whether floats of a type are the zero points, and their products the offsets. */
function holdsZeros(
  points: Float64Array,
  { units, offsets }: AffineWeight,
  compute: ComputeType,
): boolean {
  const rounded = compute === "f32" ? Math.fround : halfOf;
  return points.every((zero, group) => {
    if (units[group] === 0) return true;
    return rounded(zero) === zero && zero * units[group] === -offsets[group];
  });
}

/** The code, in units, that stands for 0 in each group; NaN where the unit is 0. */
export function zeroPoints(weight: AffineWeight, scratch: Scratch): Float64Array {
  const { planes, outFeatures, groupsPerRow } = weight;
  const points = scratch.doubles("zero points", outFeatures * groupsPerRow);
  if (!planes) {
    const { units, offsets } = weight;
    for (let group = 0; group < points.length; group++) {
      points[group] = units[group] === 0 ? NaN : -offsets[group] / units[group];
    }
    return points;
  }
  const { scales, zeros, stride, first } = planes;
  points.fill(-first);
  for (let group = 0; zeros && group < points.length; group++) {
    points[group] = stride * zeros[group] - first;
  }
  for (let group = 0; group < points.length; group++) {
    if ((scales[group] & 0x7fff) === 0) points[group] = NaN;
  }
  return points;
}

type Coded = Pick<PackedPlan, "bits" | "shift" | "zeros">;

/** The fewest bits that hold codes and whole zero points. */
function wholeCodes({ levels, stride }: AffineWeight, { least, most }: Zeros): Coded {
  const top = (levels - 1) * stride;
  for (const bits of [2, 4, 8] as const) {
    const [middle, highest] = [2 ** (bits - 1), 2 ** bits - 1];
    const shift = middle - least;
    if (least === most && shift >= 0 && top + shift <= highest) {
      return { bits, shift, zeros: "none" };
    }
    const least0 = Math.max(0, -least);
    if (least0 + Math.max(top, most) <= highest) return { bits, shift: least0, zeros: "integer" };
  }
  return fractionalCodes({ levels, stride });
}

/** Codes as they are, with zero points as floats. */
function fractionalCodes({ levels, stride }: Pick<AffineWeight, "levels" | "stride">): Coded {
  const top = (levels - 1) * stride;
  const bits = ([2, 4, 8] as const).find((each) => top < 2 ** each) ?? 8;
  return { bits, shift: 0, zeros: "float" };
}

/** The block size that takes the least space; null where groups have no whole number of blocks. */
function blockSizeOf(
  { inFeatures, groupColumns, groupsPerRow }: AffineWeight,
  bits: CodeBits,
  compute: ComputeType,
): number | null {
  const bytesOf = (size: number): number =>
    Math.ceil(inFeatures / size) * ((size * bits) / 8 + (compute === "f32" ? 4 : 2));
  const fitting = blockSizes.filter((size) => groupsPerRow === 1 || groupColumns % size === 0);
  return fitting.toSorted((a, b) => bytesOf(a) - bytesOf(b) || b - a)[0] ?? null;
}

/** Whether a type has all units; those of scales that lie apart are float32 values. */
function holdsUnits(weight: AffineWeight, compute: ComputeType): boolean {
  if (weight.planes && (compute === "f32" || weight.planes.unit === 1)) return true;
  const { units } = weight;
  const rounded = compute === "f32" ? Math.fround : halfOf;
  for (let i = 0; i < units.length; i++) if (rounded(units[i]) !== units[i]) return false;
  return true;
}

function halfOf(value: number): number {
  return halfBitsToFloat(floatToHalfBits(value));
}

/** Bytes of codes, scales and zero points of a weight of so many rows. */
export function packedBytes(
  { bits, blockSize, blocks, zeros, compute }: PackedPlan,
  rows: number,
): { readonly codes: number; readonly scales: number; readonly zeros: number } {
  const floats = rows * blocks * (compute === "f32" ? 4 : 2);
  const packedZeros = rows * Math.ceil((blocks * bits) / 8);
  return {
    codes: (rows * blocks * blockSize * bits) / 8,
    scales: floats,
    zeros: zeros === "none" ? 0 : zeros === "float" ? floats : packedZeros,
  };
}
