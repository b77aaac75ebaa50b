import type { TensorView } from "../../backend/kernels.ts";
import { floats } from "./arrays.ts";

/** `out = silu(gate) · up` with `silu(x) = x / (1 + e⁻ˣ)`. Source: GLU variants, arXiv 2002.05202. */
export function swiglu(out: TensorView, gate: TensorView, up: TensorView): void {
  const output = floats(out);
  const gates = floats(gate);
  const ups = floats(up);
  for (let i = 0; i < output.length; i++) {
    output[i] = (gates[i] / (1 + Math.exp(-gates[i]))) * ups[i];
  }
}
