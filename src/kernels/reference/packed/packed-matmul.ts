import type { Kernels } from "../../../backend/kernels.ts";
import {
  activationBlock,
  type BlockOperand,
  type PackedOperand,
  type PlanarOperand,
  type PreparedOperand,
  type Products,
  scaleColumns,
} from "../../../backend/packed-operand.ts";
import { roundTable } from "../../../backend/rounded-table.ts";
import { blockFormats, findBlockFormat } from "../../../quant/blocks/index.ts";
import { BlockRun } from "../../../quant/blocks/block-run.ts";
import { packings } from "../../../quant/packings/index.ts";
import { UnsupportedError } from "../../../util/errors.ts";
import { halvesToFloats } from "../../../util/half.ts";
import { roundHalfEven } from "../../../util/rounding.ts";
import { floats } from "../arrays.ts";
import { multiplyRows } from "../layers/multiply-rows.ts";
import { rmsNorm } from "../layers/rms-norm.ts";

/** Rows of the weight that are decoded at a time. */
const blockRows = 64;

/** A prepared operand of the CPU backends: the operand itself, whose bytes need no other order. */
export interface HeldOperand extends PreparedOperand {
  readonly operand: PackedOperand;
}

/**
 * Holds an operand for `packedMatmul`.
 * @throws UnsupportedError when the packing or the format of blocks is unknown
 */
export function holdOperand(operand: PackedOperand): HeldOperand {
  if ("blocks" in operand) {
    const { outFeatures, inFeatures, blockColumns } = operand;
    loadRun(operand);
    const kind = `blocks ${inFeatures} ${activationBlock(blockColumns)}`;
    return { outFeatures, inFeatures, kind, operand };
  }
  if (!Object.hasOwn(packings, operand.layout.packing)) {
    throw new UnsupportedError(
      `expected one of the packings ${Object.keys(packings).join(", ")}, got ` +
        `"${operand.layout.packing}"`,
    );
  }
  const { outFeatures, inFeatures, groupSize, layout } = operand;
  const kind = `${inFeatures} ${groupSize} ${layout.packing}`;
  return { outFeatures, inFeatures, kind, operand };
}

/** RMSNorm, then fast products with each operand. */
export const normedPackedMatmul: Kernels["normedPackedMatmul"] = (outs, x, norm, eps, operands) => {
  const normed = { ...x, storage: new Float32Array(floats(x).length) };
  rmsNorm(normed, x, norm, eps);
  for (const [i, out] of outs.entries()) packedMatmul(out, normed, operands[i], "fast");
};

/** `out [T, outFeatures] = x [T, inFeatures] · Ŵᵀ`: decodes blocks of rows, then multiplies. */
export const packedMatmul: Kernels["packedMatmul"] = (out, x, prepared, products) => {
  const { operand } = prepared as HeldOperand;
  const { outFeatures, inFeatures } = operand;
  const width = scaleColumns(operand);
  const data = products === "fast" ? roundActivations(floats(x), inFeatures, width) : floats(x);
  const left = { data, count: inFeatures === 0 ? 0 : data.length / inFeatures };
  const decode = rowDecoder(operand, products);
  const block = new Float32Array(Math.min(blockRows, outFeatures) * inFeatures);
  for (let row = 0; row < outFeatures; row += blockRows) {
    const rows = Math.min(blockRows, outFeatures - row);
    for (let i = 0; i < rows; i++) {
      decode(row + i, block.subarray(i * inFeatures, (i + 1) * inFeatures));
    }
    const target = {
      out: floats(out),
      stride: outFeatures,
      column: row,
      alpha: 1,
      beta: 0,
    } as const;
    multiplyRows(target, left, { data: block, count: rows }, inFeatures);
  }
};

/** Rounds each activation block of each row to the 8-bit values that fast products multiply by. */
function roundActivations(x: Float32Array, inFeatures: number, groupSize: number): Float32Array {
  const out = new Float32Array(x.length);
  const width = activationBlock(groupSize);
  for (let row = 0; row < x.length; row += inFeatures) {
    for (let group = 0; group < inFeatures; group += groupSize) {
      const groupEnd = Math.min(group + groupSize, inFeatures);
      for (let start = group; start < groupEnd; start += width) {
        roundBlock(out, x, row + start, row + Math.min(start + width, groupEnd));
      }
    }
  }
  return out;
}

function roundBlock(out: Float32Array, x: Float32Array, start: number, end: number): void {
  let largest = 0;
  for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(x[i]));
  const inverse = largest >= 2 ** -120 ? Math.fround(127 / largest) : 0;
  const scale = Math.fround(largest / 127);
  for (let i = start; i < end; i++) out[i] = scale * roundHalfEven(Math.fround(x[i] * inverse));
}

/**
 * Returns a function that decodes one row of a packed weight to float32: the values that such
 * products multiply by.
 */
export function rowDecoder(
  operand: PackedOperand,
  products: Products = "exact",
): (row: number, out: Float32Array) => void {
  if (!("blocks" in operand)) return planarDecoder(operand, products);
  const { run, load } = loadRun(operand);
  return (row, out) => {
    load(row);
    run.decode(out, 0);
  };
}

/**
 * Returns a row of blocks, and what loads one into it.
 * @throws UnsupportedError when the format is unknown
 */
export function loadRun({ format: id, blocks, rowBytes, inFeatures, blockColumns }: BlockOperand): {
  readonly run: BlockRun;
  readonly load: (row: number) => void;
} {
  const format = findBlockFormat(id);
  if (!format) {
    const known = blockFormats.map((other) => other.id).join(", ");
    throw new UnsupportedError(`expected one of the block formats ${known}, got "${id}"`);
  }
  const run = new BlockRun(format, inFeatures / blockColumns);
  return { run, load: (row) => run.load(blocks, row * rowBytes) };
}

/** Returns a function that decodes one row of a weight whose parts lie apart. */
export function planarDecoder(
  operand: PlanarOperand,
  products: Products = "exact",
): (row: number, out: Float32Array) => void {
  const { inFeatures, groupSize, layout, origin, step } = operand;
  const packing = packings[layout.packing as keyof typeof packings];
  const groups = Math.ceil(inFeatures / groupSize);
  const codes = new Uint8Array(inFeatures);
  return (row, out) => {
    packing.unpack(operand.codes, row * operand.rowBytes, inFeatures, codes, 0);
    const first = row * groups;
    const scales = halvesToFloats(operand.scales.subarray(first, first + groups));
    const zeros = decodeZeroPoints(operand, first, groups);
    const stored = tableOf(operand, row);
    const values = stored && products === "fast" ? roundedValues(stored) : stored;
    for (let group = 0; group < groups; group++) {
      const zero = zeros ? zeros[group] : 0;
      const end = Math.min((group + 1) * groupSize, inFeatures);
      for (let column = group * groupSize; column < end; column++) {
        const code = codes[column];
        out[column] = scales[group] * (values ? values[code] : origin + step * (code - zero));
      }
    }
  };
}

/** The values of a row's codes where they stand in a table. */
function tableOf({ table, layout: { levels } }: PlanarOperand, row: number): Float32Array | null {
  if (!table) return null;
  if (table instanceof Float32Array) return table;
  return halvesToFloats(table.subarray(row * levels, (row + 1) * levels));
}

/** What fast products take for the values of a table. */
function roundedValues(values: Float32Array): Float32Array {
  const { codes, step, zero } = roundTable(values);
  return Float32Array.from(codes, (code) => step * (code - zero));
}

/** Unpacks `count` zero points of an operand from the group `first` on; null stands for zeros. */
function decodeZeroPoints(
  { zeroPoints, layout }: PlanarOperand,
  first: number,
  count: number,
): ArrayLike<number> | null {
  if (!zeroPoints) return null;
  if (zeroPoints instanceof Uint16Array) {
    return halvesToFloats(zeroPoints.subarray(first, first + count));
  }
  const unit = Math.floor(first / layout.codesPerUnit);
  const skipped = first - unit * layout.codesPerUnit;
  const integers = new Uint8Array(skipped + count);
  const packing = packings[layout.packing as keyof typeof packings];
  packing.unpack(zeroPoints, unit * layout.bytesPerUnit, integers.length, integers, 0);
  return integers.subarray(skipped);
}
