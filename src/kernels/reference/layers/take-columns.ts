import type { Kernels } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";

/** `out[t, j] = x[t, columns[j]]`. */
export const takeColumns: Kernels["takeColumns"] = (out, x, columns) => {
  const output = floats(out);
  const input = floats(x);
  const taken = columns.storage as Int32Array;
  const width = x.shape.at(-1) ?? 0;
  for (let from = 0, to = 0; to < output.length; from += width) {
    for (let j = 0; j < taken.length; j++, to++) output[to] = input[from + taken[j]];
  }
};

/** Gradient of `takeColumns`: columns that were not taken get 0. */
export const takeColumnsBackward: Kernels["takeColumnsBackward"] = (dX, dOut, columns) => {
  const output = floats(dX).fill(0);
  const upstream = floats(dOut);
  const taken = columns.storage as Int32Array;
  const width = dX.shape.at(-1) ?? 0;
  for (let to = 0, from = 0; from < upstream.length; to += width) {
    for (let j = 0; j < taken.length; j++, from++) output[to + taken[j]] = upstream[from];
  }
};
