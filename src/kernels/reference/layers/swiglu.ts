import type { Kernels } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";

/** `out = silu(gate) · up`, `silu(x) = x / (1 + e⁻ˣ)` (GLU variants, arXiv 2002.05202). */
export const swiglu: Kernels["swiglu"] = (out, gate, up) => {
  const output = floats(out);
  const gates = floats(gate);
  const ups = floats(up);
  for (let i = 0; i < output.length; i++) {
    output[i] = (gates[i] / (1 + Math.exp(-gates[i]))) * ups[i];
  }
};

/** Gradients of `swiglu`: `silu′(x) = σ(x)·(1 + x·(1 − σ(x)))`. */
export const swigluBackward: Kernels["swigluBackward"] = (dGate, dUp, dOut, gate, up) => {
  const upstream = floats(dOut);
  const gates = floats(gate);
  const ups = floats(up);
  const gateOut = floats(dGate);
  const upOut = floats(dUp);
  for (let i = 0; i < gates.length; i++) {
    const g = upstream[i];
    const share = 1 / (1 + Math.exp(-gates[i]));
    gateOut[i] = g * ups[i] * share * (1 + gates[i] * (1 - share));
    upOut[i] = g * gates[i] * share;
  }
};
