import type { AffineWeight } from "../../../quant/blocks/mapping/affine-weight.ts";
import { writeBitStream } from "../../../quant/packings/bit-stream.ts";
import { floatsToHalves } from "../../../util/half.ts";
import { type ComputeType, type PackedPlan, packedBytes, zeroOf } from "./matrix-plan.ts";

/** The scales of all blocks, `[rows, blocks]`, in the type that the graph computes in. */
export function blockScales(weight: AffineWeight, plan: PackedPlan): Float32Array | Uint16Array {
  const scales = byBlock(weight, plan, (group) => weight.units[group]);
  return ofType(scales, plan.compute);
}

/** The zero points of all blocks: packed row by row, or floats; null where there are none. */
export function blockZeros(
  weight: AffineWeight,
  plan: PackedPlan,
): Uint8Array | Float32Array | Uint16Array | null {
  const { units, offsets, outFeatures } = weight;
  const { zeros, blocks, bits, shift, compute } = plan;
  if (zeros === "none") return null;
  const points = byBlock(weight, plan, (group) => zeroOf(units[group], offsets[group]) + shift);
  if (zeros === "float") return ofType(points, compute);
  const rowBytes = packedBytes(plan, 1).zeros;
  const packed = new Uint8Array(outFeatures * rowBytes);
  const row = new Uint8Array((8 * rowBytes) / bits);
  for (let r = 0; r < outFeatures; r++) {
    row.set(points.subarray(r * blocks, (r + 1) * blocks));
    writeBitStream(row, bits, packed, r * rowBytes);
  }
  return packed;
}

/** A value for each block, from that of the group that it lies in. */
function byBlock(
  { groupColumns, groupsPerRow, outFeatures }: AffineWeight,
  { blocks, blockSize }: PackedPlan,
  valueOf: (group: number) => number,
): Float32Array {
  const values = new Float32Array(outFeatures * blocks);
  const groups = new Uint32Array(blocks);
  for (let block = 0; block < blocks && groupsPerRow > 1; block++) {
    groups[block] = Math.floor((block * blockSize) / groupColumns);
  }
  for (let row = 0, at = 0; row < outFeatures; row++) {
    const first = row * groupsPerRow;
    for (let block = 0; block < blocks; block++) values[at++] = valueOf(first + groups[block]);
  }
  return values;
}

function ofType(values: Float32Array, compute: ComputeType): Float32Array | Uint16Array {
  return compute === "f32" ? values : floatsToHalves(values);
}
