import type { Kernels } from "../../../backend/kernels.ts";
import { floats, integers } from "../arrays.ts";
import { decodeWeight, encodeWeight } from "./grid-code.ts";

const { fround } = Math;

/**
 * Quantizes columns one after the other and carries each column's error on to the later ones, in
 * float32 arithmetic. Source: GPTQ, arXiv 2210.17323, algorithm 1.
 */
export const quantizeColumns: Kernels["quantizeColumns"] = (codes, weight, options) => {
  const [rows = 0, n = 0] = weight.shape;
  const { start, end, grid } = options;
  const factor = options.factor ? floats(options.factor) : null;
  const scales = floats(options.scales);
  const zeros = floats(options.zeros);
  const offsets = options.offsets ? floats(options.offsets) : null;
  const groupOf = integers(options.groupOf);
  const groups = options.scales.shape[1] ?? 1;
  const chosen = codes.storage as Uint8Array;
  for (let row = 0; row < rows; row++) {
    const w = floats(weight).subarray(row * n, (row + 1) * n);
    for (let j = start; j < end; j++) {
      const group = row * groups + groupOf[j];
      const [scale, zero, offset] = [scales[group], zeros[group], offsets ? offsets[group] : 0];
      const before = w[j];
      const code = encodeWeight(fround(before - offset), scale, zero, grid);
      chosen[row * n + j] = code;
      w[j] = decodeWeight(code, scale, zero, grid, offset);
      if (factor) carryError(w, factor, j, fround(before - w[j]), n);
    }
  }
};

/** `w[k] −= e · factor[j, k]` for all k > j, with `e = error / factor[j, j]`. */
function carryError(
  w: Float32Array,
  factor: Float32Array,
  j: number,
  error: number,
  n: number,
): void {
  const e = fround(error / factor[j * n + j]);
  if (e === 0) return;
  for (let k = j + 1; k < n; k++) w[k] -= e * factor[j * n + k];
}
