import {
  activationBlock,
  type BlockOperand,
  type PackedOperand,
  type PlanarOperand,
  type PreparedOperand,
} from "../../backend/packed-operand.ts";
import type { BlockFormat, BlockFormatId } from "../../quant/blocks/block-format.ts";
import { findBlockFormat } from "../../quant/blocks/index.ts";
import { halvesToFloats } from "../../util/half.ts";
import { type HeldOperand, holdOperand } from "../reference/packed/packed-matmul.ts";
import { layOutOneTable, layOutRowTables } from "./lay-out-tables.ts";
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

/** C's numbers of block formats (`native/ops/block_format.h`). */
const formatNumbers: Readonly<Record<BlockFormatId, number>> = {
  q4_0: 16,
  q4_1: 17,
  q5_0: 18,
  q5_1: 19,
  q8_0: 20,
  q2_k: 21,
  q3_k: 22,
  q4_k: 23,
  q5_k: 24,
  q6_k: 25,
  tq1_0: 26,
  tq2_0: 27,
  q1_0: 28,
  q2_0: 29,
};

/** A weight as the native kernels read it (`native/ops/packed_matrix.h`). */
export interface LaidOutOperand extends PreparedOperand {
  readonly codes: Uint8Array;
  /** Null where they are among the codes, in blocks. */
  readonly scales: Uint16Array | null;
  readonly zeros: Uint8Array | null;
  readonly groupSize: number;
  /** Bits of a code, those and the kind of its table, or the number of a block format. */
  readonly bits: number;
  readonly zeroKind: number;
  readonly origin: number;
  readonly step: number;
}

/** Returns the number that C knows a packing or a format of blocks by; null when it does not. */
export function packingNumber(operand: PackedOperand): number | null {
  if ("blocks" in operand) return formatNumbers[operand.format as BlockFormatId] ?? null;
  return packings[operand.layout.packing]?.number ?? null;
}

/**
 * Lays a packed weight out for vectors of `lanes` rows, in memory of its own, as a step of the
 * queue. A packing that C does not know is held as it is, for the reference kernel.
 */
export function layOut(
  queue: NativeQueue,
  lanes: number,
  operand: PackedOperand,
): LaidOutOperand | HeldOperand {
  if ("blocks" in operand) return layOutBlocks(queue, lanes, operand);
  const packing = packings[operand.layout.packing];
  if (!packing) return holdOperand(operand);
  if (operand.table) return layOutLookUps(queue, lanes, operand, operand.table);
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

/** What is added to the bits of a code with a table, by the numbers of `packed_matrix.h`. */
const tableKinds = { ofRows: 32, one: 64 } as const;

/** Codes for look-ups, and behind them the tables; where C has no look-ups, as it is. */
function layOutLookUps(
  queue: NativeQueue,
  lanes: number,
  operand: PlanarOperand,
  table: Float32Array | Uint16Array,
): LaidOutOperand | HeldOperand {
  const { outFeatures, inFeatures, groupSize, layout, codes, scales, rowBytes } = operand;
  const { number, bits } = packings[layout.packing];
  if (number !== bits || bits < 2 || bits > 4) return holdOperand(operand);
  const isOne = table instanceof Float32Array && bits === 4;
  const tables = isOne
    ? layOutOneTable(table, lanes)
    : layOutRowTables(rowValues(operand, table), layout.levels, lanes, outFeatures);
  const blocks = Math.ceil(outFeatures / lanes) * Math.ceil(inFeatures / groupSize);
  const codeBytes =
    blocks * (isOne ? groupBytes(groupSize, bits, lanes) : lookUpBytes(groupSize, bits, lanes));
  const laidOut = new Uint8Array(queue.allocate(codeBytes + tables.byteLength));
  laidOut.set(tables, codeBytes);
  const laidOutScales = new Uint16Array(queue.allocate(blocks * lanes * 2));
  const kind = bits + (isOne ? tableKinds.one : tableKinds.ofRows);
  const arrays = [laidOut, laidOutScales, null, codes, scales, null];
  const sizes = [outFeatures, inFeatures, groupSize, kind, zeroKinds.none, rowBytes, number];
  queue.run("lay_out", [...arrays, ...sizes]);
  return {
    outFeatures,
    inFeatures,
    kind: `table ${inFeatures} ${groupSize} ${kind}`,
    codes: laidOut,
    scales: laidOutScales,
    zeros: null,
    groupSize,
    bits: kind,
    zeroKind: zeroKinds.none,
    origin: 0,
    step: 1,
  };
}

/** The values of each row. */
function rowValues(
  { layout: { levels } }: PlanarOperand,
  table: Float32Array | Uint16Array,
): (row: number) => Float32Array {
  if (table instanceof Float32Array) return () => table;
  const values = halvesToFloats(table);
  return (row) => values.subarray(row * levels, (row + 1) * levels);
}

/** Bytes of one group of `lanes` rows with tables of their own: chunks of 32, 64 or 128 columns. */
function lookUpBytes(groupSize: number, bits: number, lanes: number): number {
  const columns = bits === 3 ? 128 : 128 / bits;
  return Math.ceil(groupSize / columns) * (bits === 3 ? 48 : 16) * lanes;
}

/** Words of blocks of `lanes` rows side by side, then their float16 scales and offsets. */
function layOutBlocks(
  queue: NativeQueue,
  lanes: number,
  operand: BlockOperand,
): LaidOutOperand | HeldOperand {
  const { outFeatures, inFeatures, blockColumns, blocks, rowBytes } = operand;
  const number = packingNumber(operand);
  const format = findBlockFormat(operand.format);
  if (number === null || !format) return holdOperand(operand);
  const rowBlocks = inFeatures / blockColumns;
  const halves = rowBlocks * (format.offset === "none" ? 1 : 2) * lanes * 2;
  const bytes = rowBlocks * wordsOf(format) * lanes * 4 + Math.ceil(halves / 64) * 64;
  const groupSize = activationBlock(blockColumns);
  const codes = new Uint8Array(queue.allocate(Math.ceil(outFeatures / lanes) * bytes));
  queue.run("lay_out_blocks", [codes, blocks, outFeatures, inFeatures, rowBytes, number]);
  return {
    outFeatures,
    inFeatures,
    kind: `blocks ${inFeatures} ${groupSize}`,
    codes,
    scales: null,
    zeros: null,
    groupSize,
    bits: number,
    zeroKind: zeroKinds.none,
    origin: 0,
    step: 1,
  };
}

/** Words of a block as it is laid out: what is not a float16; trits of TQ1_0 become TQ2_0. */
function wordsOf({ id, bytes, offset }: BlockFormat): number {
  return id === "tq1_0" ? 16 : (bytes - (offset === "none" ? 2 : 4)) / 4;
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
