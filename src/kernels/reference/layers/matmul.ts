import type { Kernels } from "../../../backend/kernels.ts";
import { floats, widen } from "../arrays.ts";
import { multiplyRows } from "./multiply-rows.ts";

/** Rows of `b` that are widened or transposed at a time. */
const blockRows = 64;

/**
 * `out = beta · out + alpha · a·b` in every transposition form. Both operands are brought to rows
 * along the inner dimension, then multiplied row by row.
 */
export const matmul: Kernels["matmul"] = (out, a, b, options) => {
  const [m = 0, n = 0] = out.shape;
  const k = (options.transposeA ? a.shape[0] : a.shape[1]) ?? 0;
  const left = options.transposeA
    ? transposeColumns(widen(a, 0, k * m), k, m, 0, m, new Float32Array(m * k))
    : widen(a, 0, m * k);
  const whole = options.transposeB ? null : widen(b, 0, k * n);
  const scratch = new Float32Array(Math.min(blockRows, n) * k);
  const { alpha = 1, beta = 0 } = options;
  for (let column = 0; column < n; column += blockRows) {
    const count = Math.min(blockRows, n - column);
    const right = whole
      ? transposeColumns(whole, k, n, column, count, scratch)
      : widen(b, column * k, count * k, scratch);
    const target = { out: floats(out), stride: n, column, alpha, beta };
    multiplyRows(target, { data: left, count: m }, { data: right, count }, k);
  }
};

/** Writes columns `[start, start + count)` of a `[rows, columns]` matrix as rows. */
function transposeColumns(
  matrix: Float32Array,
  rows: number,
  columns: number,
  start: number,
  count: number,
  out: Float32Array,
): Float32Array {
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < count; j++) out[j * rows + row] = matrix[row * columns + start + j];
  }
  return out;
}
