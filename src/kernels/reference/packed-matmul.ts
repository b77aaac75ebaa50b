import type { TensorView } from "../../backend/kernels.ts";
import type { PackedOperand, PreparedOperand } from "../../backend/packed-operand.ts";
import { packings } from "../../quant/packings/index.ts";
import { UnsupportedError } from "../../util/errors.ts";
import { floats } from "./arrays.ts";
import { multiplyRows } from "./multiply-rows.ts";

/** Rows of the weight that are decoded at a time. */
const blockRows = 64;

/** A prepared operand of the CPU backends: the operand itself, whose bytes need no other order. */
export interface HeldOperand extends PreparedOperand {
  readonly operand: PackedOperand;
}

/** Holds an operand for `packedMatmul`. @throws UnsupportedError when the packing is unknown */
export function holdOperand(operand: PackedOperand): HeldOperand {
  if (!Object.hasOwn(packings, operand.layout.packing)) {
    throw new UnsupportedError(
      `expected one of the packings ${Object.keys(packings).join(", ")}, got "${operand.layout.packing}"`,
    );
  }
  return { outFeatures: operand.outFeatures, inFeatures: operand.inFeatures, operand };
}

/** `out [T, outFeatures] = x [T, inFeatures] · Ŵᵀ`: decodes blocks of rows, then multiplies. */
export function packedMatmul(out: TensorView, x: TensorView, prepared: PreparedOperand): void {
  const { operand } = prepared as HeldOperand;
  const { outFeatures, inFeatures } = operand;
  const count = inFeatures === 0 ? 0 : floats(x).length / inFeatures;
  const left = { data: floats(x), count };
  const codes = new Uint8Array(inFeatures);
  const block = new Float32Array(Math.min(blockRows, outFeatures) * inFeatures);
  for (let row = 0; row < outFeatures; row += blockRows) {
    const rows = Math.min(blockRows, outFeatures - row);
    for (let i = 0; i < rows; i++) {
      decodeRow(operand, row + i, codes, block.subarray(i * inFeatures, (i + 1) * inFeatures));
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
}

/** Decodes one row of a packed weight to float32, rounding each value once. */
function decodeRow(
  operand: PackedOperand,
  row: number,
  codes: Uint8Array,
  out: Float32Array,
): void {
  const { inFeatures, groupSize, layout, scales, offsets, table } = operand;
  const packing = packings[layout.packing as keyof typeof packings];
  packing.unpack(operand.codes, row * operand.rowBytes, inFeatures, codes, 0);
  const groups = Math.ceil(inFeatures / groupSize);
  for (let group = 0; group < groups; group++) {
    const scale = scales[row * groups + group];
    const offset = offsets ? offsets[row * groups + group] : 0;
    const end = Math.min((group + 1) * groupSize, inFeatures);
    for (let column = group * groupSize; column < end; column++) {
      const code = codes[column];
      out[column] = table ? scale * table[code] : scale * code + offset;
    }
  }
}
