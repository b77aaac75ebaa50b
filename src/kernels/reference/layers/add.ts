import type { Kernels } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";

/** `out = a + b`; a shorter `b` is one row that is added to every row of `a`. */
export const add: Kernels["add"] = (out, a, b) => {
  const output = floats(out);
  const left = floats(a);
  const right = floats(b);
  const width = right.length;
  for (let start = 0; start < output.length; start += width) {
    for (let i = 0; i < width; i++) output[start + i] = left[start + i] + right[i];
  }
};
