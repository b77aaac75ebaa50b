import type { AffineWeight } from "../../../quant/blocks/mapping/affine-weight.ts";
import { floatToHalfBits, halfBitsToFloat } from "../../../util/half.ts";

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

/** Decides how a packed weight stands in a graph. */
export function planPacked(weight: AffineWeight, compute: ComputeType): PackedPlan | PackedFault {
  const zeros = readZeros(weight);
  if (zeros.isLost) {
    return {
      kind: "fault",
      why: "groups whose scale is 0 have an offset, which no zero point can say",
      hint: "quantize to a scheme such as w4g32, or export GGUF",
    };
  }
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
      holds(weight.units, compute) && (coded.zeros !== "float" || holdsZeros(weight, compute)),
  };
}

/** Zero points in units of the codes that are written, before they are shifted. */
interface Zeros {
  readonly least: number;
  readonly most: number;
  readonly areWhole: boolean;
  /** Whether a group has an offset and no scale. */
  readonly isLost: boolean;
}

function readZeros({ units, offsets }: AffineWeight): Zeros {
  let [least, most, areWhole, isLost] = [Infinity, -Infinity, true, false];
  for (let group = 0; group < units.length; group++) {
    if (units[group] === 0) {
      isLost ||= offsets[group] !== 0;
      continue;
    }
    const zero = zeroOf(units[group], offsets[group]);
    least = Math.min(least, zero);
    most = Math.max(most, zero);
    areWhole &&= Number.isInteger(zero);
  }
  return { ...(least > most ? { least: 0, most: 0 } : { least, most }), areWhole, isLost };
}

/** Whether floats of a type are the zero points, and their products the offsets. */
function holdsZeros({ units, offsets }: AffineWeight, compute: ComputeType): boolean {
  const rounded = compute === "f32" ? Math.fround : halfOf;
  return units.every((unit, group) => {
    const zero = zeroOf(unit, offsets[group]);
    return rounded(zero) === zero && zero * unit === -offsets[group];
  });
}

/** The code, in units, that stands for 0. */
export function zeroOf(unit: number, offset: number): number {
  return unit === 0 ? 0 : -offset / unit;
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

function holds(values: Float64Array, compute: ComputeType): boolean {
  const rounded = compute === "f32" ? Math.fround : halfOf;
  for (let i = 0; i < values.length; i++) if (rounded(values[i]) !== values[i]) return false;
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
