import type { TensorView } from "../../backend/kernels.ts";
import { floats } from "./arrays.ts";

/** `out = a · b`, elementwise. */
export function multiply(out: TensorView, a: TensorView, b: TensorView): void {
  const output = floats(out);
  const left = floats(a);
  const right = floats(b);
  for (let i = 0; i < output.length; i++) output[i] = left[i] * right[i];
}
