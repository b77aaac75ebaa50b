import type { Kernels } from "../../../backend/kernels.ts";
import { type PackedOperand, scaleColumns } from "../../../backend/packed-operand.ts";
import { floatToBfloatBits } from "../../../util/half.ts";
import { floats } from "../arrays.ts";
import { loadRun, planarDecoder } from "./packed-matmul.ts";

/** Decodes a packed weight with scales of the caller's. */
export const decodePacked: Kernels["decodePacked"] = (out, operand, scales) => {
  const { inFeatures } = operand;
  const factors = floats(scales);
  forEachRow(operand, (row, units, offsets, groupOf) => {
    for (let column = 0; column < inFeatures; column++) {
      const product = factors[groupOf(column)] * units[column];
      const value = Math.fround(offsets ? product + offsets[column] : product);
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
  forEachRow(operand, (row, units, _offsets, groupOf) => {
    for (let column = 0; column < inFeatures; column++) {
      sums[groupOf(column)] += upstream[row * inFeatures + column] * units[column];
    }
  });
  floats(dScales).set(sums);
};

/** Visits each row with its values in units of the scale, and what is added to them. */
function forEachRow(
  operand: PackedOperand,
  visit: (
    row: number,
    units: Float32Array,
    offsets: Float32Array | null,
    groupOf: (column: number) => number,
  ) => void,
): void {
  const { outFeatures, inFeatures } = operand;
  const width = scaleColumns(operand);
  const groups = Math.ceil(inFeatures / width);
  const { units, offsets, load } = unitRows(operand, outFeatures * groups);
  for (let row = 0; row < outFeatures; row++) {
    load(row);
    visit(row, units, offsets, (column) => row * groups + Math.floor(column / width));
  }
}

interface UnitRows {
  readonly units: Float32Array;
  readonly offsets: Float32Array | null;
  readonly load: (row: number) => void;
}

function unitRows(operand: PackedOperand, scales: number): UnitRows {
  const units = new Float32Array(operand.inFeatures);
  if (!("blocks" in operand)) {
    const ones = new Uint16Array(scales).fill(halfOne);
    const decode = planarDecoder({ ...operand, scales: ones });
    return { units, offsets: null, load: (row) => decode(row, units) };
  }
  const { run, load } = loadRun(operand);
  const offsets = run.format.offset === "none" ? null : new Float32Array(operand.inFeatures);
  const zeros = new Float32Array(run.blocks);
  return {
    units,
    offsets,
    load: (row) => {
      load(row);
      run.units(units);
      if (offsets) run.decode(offsets, 0, zeros);
    },
  };
}

/** 1 in float16. */
const halfOne = 0x3c00;
