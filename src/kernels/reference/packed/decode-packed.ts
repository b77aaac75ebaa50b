import type { Kernels } from "../../../backend/kernels.ts";
import type { PackedOperand } from "../../../backend/packed-operand.ts";
import { floatToBfloatBits } from "../../../util/half.ts";
import { floats } from "../arrays.ts";
import { rowDecoder } from "./packed-matmul.ts";

/** Decodes a packed weight with scales of the caller's. */
export const decodePacked: Kernels["decodePacked"] = (out, operand, scales) => {
  const { inFeatures } = operand;
  const factors = floats(scales);
  forEachRow(operand, (row, units, groupOf) => {
    for (let column = 0; column < inFeatures; column++) {
      const value = Math.fround(factors[groupOf(column)] * units[column]);
      const at = row * inFeatures + column;
      if (out.dtype === "f32") floats(out)[at] = value;
      else (out.storage as Uint16Array)[at] = floatToBfloatBits(value);
    }
  });
};

/** Gradient of `decodePacked` by the scales, summed in float64. */
export const decodePackedBackward: Kernels["decodePackedBackward"] = (dScales, dOut, operand) => {
  const { inFeatures } = operand;
  const upstream = floats(dOut);
  const sums = new Float64Array(floats(dScales).length);
  forEachRow(operand, (row, units, groupOf) => {
    for (let column = 0; column < inFeatures; column++) {
      sums[groupOf(column)] += upstream[row * inFeatures + column] * units[column];
    }
  });
  floats(dScales).set(sums);
};

/** Visits each row with its values in units of the scale. */
function forEachRow(
  operand: PackedOperand,
  visit: (row: number, units: Float32Array, groupOf: (column: number) => number) => void,
): void {
  const { outFeatures, inFeatures, groupSize } = operand;
  const groups = Math.ceil(inFeatures / groupSize);
  const ones = new Uint16Array(outFeatures * groups).fill(halfOne);
  const decode = rowDecoder({ ...operand, scales: ones });
  const units = new Float32Array(inFeatures);
  for (let row = 0; row < outFeatures; row++) {
    decode(row, units);
    visit(row, units, (column) => row * groups + Math.floor(column / groupSize));
  }
}

/** 1 in float16. */
const halfOne = 0x3c00;
