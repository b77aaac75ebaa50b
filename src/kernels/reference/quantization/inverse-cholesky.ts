import type { Kernels } from "../../../backend/kernels.ts";
import { floats, integers } from "../arrays.ts";

/**
 * Writes the upper triangular `u` with `A⁻¹ = uᵀ·u`. From `A = r·rᵀ` with r upper (a Cholesky
 * factorization that starts at the last row) follows `u = r⁻¹`, so A is never inverted. Float64;
 * the upper triangle of `h` holds r, then u.
 */
export const inverseCholesky: Kernels["inverseCholesky"] = (u, h, diagonal, status, order) => {
  const n = h.shape[0] ?? 0;
  const matrix = h.storage as Float64Array;
  const pivots = diagonal.storage as Float64Array;
  const places = order ? integers(order) : Int32Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < n; i++) {
    matrix[i * n + i] = pivots[i];
    for (let j = 0; j < i; j++) {
      const [row, column] = [Math.max(places[i], places[j]), Math.min(places[i], places[j])];
      matrix[j * n + i] = matrix[row * n + column];
    }
  }
  const failed = factorizeUpper(matrix, n);
  integers(status)[0] = failed;
  if (failed !== 0) return;
  invertUpper(matrix, n);
  const output = floats(u).fill(0);
  for (let i = 0; i < n; i++) {
    output.set(matrix.subarray(i * n + i, (i + 1) * n), i * n + i);
  }
};

/** Replaces the upper triangle by r with `A = r·rᵀ`; returns 0, or 1 + the pivot that failed. */
function factorizeUpper(a: Float64Array, n: number): number {
  for (let j = n - 1; j >= 0; j--) {
    for (let i = j; i >= 0; i--) {
      let sum = a[i * n + j];
      for (let p = j + 1; p < n; p++) sum -= a[i * n + p] * a[j * n + p];
      if (i < j) a[i * n + j] = sum / a[j * n + j];
      else if (sum > 0) a[j * n + j] = Math.sqrt(sum);
      else return j + 1;
    }
  }
  return 0;
}

/** Inverts an upper triangle in place, from the last row up. */
function invertUpper(r: Float64Array, n: number): void {
  const row = new Float64Array(n);
  for (let i = n - 1; i >= 0; i--) {
    const pivot = 1 / r[i * n + i];
    row.fill(0);
    for (let p = i + 1; p < n; p++) {
      const factor = r[i * n + p] * pivot;
      for (let j = p; j < n; j++) row[j] -= factor * r[p * n + j];
    }
    row[i] = pivot;
    r.set(row.subarray(i), i * n + i);
  }
}
