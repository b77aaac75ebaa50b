import type { Kernels } from "../../../backend/kernels.ts";

/** `out [n] f64 = diag(h)`, h `[n, n]` f64. */
export const diagonal: Kernels["diagonal"] = (out, h) => {
  const target = out.storage as Float64Array;
  const matrix = h.storage as Float64Array;
  for (let i = 0; i < target.length; i++) target[i] = matrix[i * target.length + i];
};
