import type { AffineWeight } from "../../../quant/blocks/mapping/affine-weight.ts";
import { writeBitStream } from "../../../quant/packings/bit-stream.ts";
import { floatsToHalves } from "../../../util/half.ts";
import { Scratch } from "../../../util/scratch.ts";
import { type ComputeType, type PackedPlan, packedBytes, zeroPoints } from "./matrix-plan.ts";

/**
 * The scales of all blocks, `[rows, blocks]`, in the type that the graph computes in.
 * @param scratch may hold them until the next weight
 */
export function blockScales(
  weight: AffineWeight,
  plan: PackedPlan,
  scratch = new Scratch(),
): Float32Array | Uint16Array {
  const { units, groupsPerRow } = weight;
  const groups = blockGroups(weight, plan);
  const scales = scratch.floats("block scales", weight.outFeatures * groups.length);
  for (let first = 0, at = 0; at < scales.length; first += groupsPerRow) {
    for (let block = 0; block < groups.length; block++) scales[at++] = units[first + groups[block]];
  }
  return ofType(scales, plan.compute);
}

/**
 * The zero points of all blocks: packed row by row, or floats; null where there are none.
 * @param scratch may hold them until the next weight
 */
export function blockZeros(
  weight: AffineWeight,
  plan: PackedPlan,
  scratch = new Scratch(),
): Uint8Array | Float32Array | Uint16Array | null {
  if (plan.zeros === "none") return null;
  const { groupsPerRow } = weight;
  const stated = zeroPoints(weight, scratch);
  const groups = blockGroups(weight, plan);
  const points = scratch.floats("block zeros", weight.outFeatures * groups.length);
  for (let first = 0, at = 0; at < points.length; first += groupsPerRow) {
    for (let block = 0; block < groups.length; block++) {
      // Where the unit is 0, so is every weight.
      points[at++] = (stated[first + groups[block]] || 0) + plan.shift;
    }
  }
  return plan.zeros === "float" ? ofType(points, plan.compute) : packZeros(points, plan, scratch);
}

/** The group of a row that each block of it lies in. */
function blockGroups(
  { groupColumns, groupsPerRow }: AffineWeight,
  { blocks, blockSize }: PackedPlan,
): Uint32Array {
  const groups = new Uint32Array(blocks);
  for (let block = 0; block < blocks && groupsPerRow > 1; block++) {
    groups[block] = Math.floor((block * blockSize) / groupColumns);
  }
  return groups;
}

/** Rows of zero points as streams of bits, filled up to whole bytes. */
function packZeros(points: Float32Array, plan: PackedPlan, scratch: Scratch): Uint8Array {
  const { blocks, bits } = plan;
  const rowBytes = packedBytes(plan, 1).zeros;
  const rows = points.length / blocks;
  const packed = scratch.bytes("packed zeros", rows * rowBytes);
  const row = new Uint8Array((8 * rowBytes) / bits);
  for (let r = 0, at = 0; r < rows; r++) {
    for (let block = 0; block < blocks; block++) row[block] = points[at++];
    writeBitStream(row, bits, packed, r * rowBytes);
  }
  return packed;
}

function ofType(values: Float32Array, compute: ComputeType): Float32Array | Uint16Array {
  return compute === "f32" ? values : floatsToHalves(values);
}
