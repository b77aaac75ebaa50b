import type {
  PackedLayout,
  PackedOperand,
  PlanarOperand,
  PreparedOperand,
} from "../../backend/packed-operand.ts";
import { type HeldOperand, holdOperand } from "../reference/packed/packed-matmul.ts";
import type { NativeQueue } from "./queue.ts";

/** Kinds of zero points, by the numbers of `native/ops/packed_matrix.h`. */
const zeroKinds = { none: 0, nibbles: 1, bytes: 2, halves: 3 } as const;

/** C's numbers of packings (`native/ops/packed_matrix.h`), and the bits it holds codes in. */
const packings: Readonly<Record<string, { readonly number: number; readonly bits: number }>> = {
  bits1: { number: 1, bits: 1 },
  bits2: { number: 2, bits: 2 },
  bits3: { number: 3, bits: 3 },
  bits4: { number: 4, bits: 4 },
  trits5: { number: 5, bits: 2 },
  bits8: { number: 8, bits: 8 },
};

/** A weight as the native kernels read it (`native/ops/packed_matrix.h`). */
export interface LaidOutOperand extends PreparedOperand {
  readonly codes: Uint8Array;
  readonly scales: Uint16Array;
  readonly zeros: Uint8Array | null;
  readonly groupSize: number;
  readonly bits: number;
  readonly zeroKind: number;
  readonly origin: number;
  readonly step: number;
}

/** Returns the number that C knows a packing by; null when it does not. */
export function packingNumber({ packing }: PackedLayout): number | null {
  return packings[packing]?.number ?? null;
}

/**
 * Lays a packed weight out for vectors of `lanes` rows, in memory of its own, as a step of the
 * queue. A packing that C does not know, and rows of blocks, are held as they are, for the
 * reference kernel.
 */
export function layOut(
  queue: NativeQueue,
  lanes: number,
  operand: PackedOperand,
): LaidOutOperand | HeldOperand {
  if ("blocks" in operand) return holdOperand(operand);
  const packing = packings[operand.layout.packing];
  if (!packing) return holdOperand(operand);
  const { outFeatures, inFeatures, groupSize, codes, scales, zeroPoints, rowBytes } = operand;
  const { bits, number } = packing;
  const zeroKind = kindOfZeros(operand, bits);
  const blocks = Math.ceil(outFeatures / lanes) * Math.ceil(inFeatures / groupSize);
  const { origin, step } = operand;
  const numbers = [inFeatures, groupSize, bits, zeroKind, origin, step];
  const laidOut = {
    outFeatures,
    inFeatures,
    kind: numbers.join(" "),
    codes: new Uint8Array(queue.allocate(blocks * groupBytes(groupSize, bits, lanes))),
    scales: new Uint16Array(queue.allocate(blocks * lanes * 2)),
    zeros: zeroKind ? new Uint8Array(queue.allocate(blocks * zeroBytes(zeroKind, lanes))) : null,
    groupSize,
    bits,
    zeroKind,
    origin,
    step,
  };
  const arrays = [laidOut.codes, laidOut.scales, laidOut.zeros, codes, scales, zeroPoints];
  const sizes = [outFeatures, inFeatures, groupSize, bits, zeroKind, rowBytes, number];
  queue.run("lay_out", [...arrays, ...sizes]);
  return laidOut;
}

function kindOfZeros({ zeroPoints }: PlanarOperand, bits: number): number {
  if (!zeroPoints) return zeroKinds.none;
  if (zeroPoints instanceof Uint16Array) return zeroKinds.halves;
  return bits === 8 ? zeroKinds.bytes : zeroKinds.nibbles;
}

/** Bytes of one group of `lanes` rows: whole units of `lanes` 32-bit words. */
function groupBytes(groupSize: number, bits: number, lanes: number): number {
  const columns = bits === 3 ? 32 : 32 / bits;
  return Math.ceil(groupSize / columns) * (bits === 3 ? 12 : 4) * lanes;
}

function zeroBytes(kind: number, lanes: number): number {
  if (kind === zeroKinds.nibbles) return lanes / 2;
  return kind === zeroKinds.bytes ? lanes : 2 * lanes;
}
