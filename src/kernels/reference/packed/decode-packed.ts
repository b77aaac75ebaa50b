import type { Kernels } from "../../../backend/kernels.ts";
import { type PackedOperand, scaleColumns } from "../../../backend/packed-operand.ts";
import { floatToBfloatBits } from "../../../util/half.ts";
import { floats } from "../arrays.ts";
import { loadRun, planarDecoder } from "./packed-matmul.ts";

/** Decodes a packed weight with scales, and offsets of blocks, of the caller's. */
export const decodePacked: Kernels["decodePacked"] = (out, operand, scales, offsets) => {
  const { inFeatures } = operand;
  const factors = floats(scales);
  const shiftFactors = offsets && floats(offsets);
  forEachRow(operand, (row, { units, shifts, stored, first, width }) => {
    for (let column = 0; column < inFeatures; column++) {
      const group = Math.floor(column / width);
      let sum = factors[first + group] * units[column];
      if (shifts && stored) {
        sum += (shiftFactors ? shiftFactors[first + group] : stored[group]) * shifts[column];
      }
      const at = row * inFeatures + column;
      const value = Math.fround(sum);
      if (out.dtype === "f32") floats(out)[at] = value;
      else (out.storage as Uint16Array)[at] = floatToBfloatBits(value);
    }
  });
};

/** Gradients of `decodePacked` by the scales and the offsets, summed in float64. */
export const decodePackedBackward: Kernels["decodePackedBackward"] = (
  dScales,
  dOffsets,
  dOut,
  operand,
) => {
  const { inFeatures } = operand;
  const upstream = floats(dOut);
  const sums = new Float64Array(floats(dScales).length);
  const shiftSums = new Float64Array(sums.length);
  forEachRow(operand, (row, { units, shifts, first, width }) => {
    for (let column = 0; column < inFeatures; column++) {
      const group = first + Math.floor(column / width);
      const gradient = upstream[row * inFeatures + column];
      sums[group] += gradient * units[column];
      if (shifts) shiftSums[group] += gradient * shifts[column];
    }
  });
  floats(dScales).set(sums);
  if (dOffsets) floats(dOffsets).set(shiftSums);
};

/** A row as sums of products: `scale · unit + offset · shift` for each column. */
interface RowParts {
  readonly units: Float32Array;
  /** Null where there are no offsets. */
  readonly shifts: Float32Array | null;
  /** Offsets that are stored, one a block. */
  readonly stored: Float32Array | null;
  /** Index of the scale of the first column, and columns that share one. */
  readonly first: number;
  readonly width: number;
}

/** Visits each row of an operand. */
function forEachRow(operand: PackedOperand, visit: (row: number, parts: RowParts) => void): void {
  const { outFeatures, inFeatures } = operand;
  const width = scaleColumns(operand);
  const groups = Math.ceil(inFeatures / width);
  const { load, ...parts } = rowParts(operand, outFeatures * groups);
  for (let row = 0; row < outFeatures; row++) {
    load(row);
    visit(row, { ...parts, first: row * groups, width });
  }
}

interface LoadedParts extends Pick<RowParts, "units" | "shifts" | "stored"> {
  readonly load: (row: number) => void;
}

function rowParts(operand: PackedOperand, scales: number): LoadedParts {
  const units = new Float32Array(operand.inFeatures);
  if (!("blocks" in operand)) {
    const ones = new Uint16Array(scales).fill(halfOne);
    const decode = planarDecoder({ ...operand, scales: ones });
    return { units, shifts: null, stored: null, load: (row) => decode(row, units) };
  }
  const { run, load } = loadRun(operand);
  const shifts = run.offsets && new Float32Array(operand.inFeatures);
  return {
    units,
    shifts,
    stored: run.offsets,
    load: (row) => {
      load(row);
      run.units(units);
      if (shifts) run.shifts(shifts);
    },
  };
}

/** 1 in float16. */
const halfOne = 0x3c00;
