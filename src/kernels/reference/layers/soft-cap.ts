import type { Kernels } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";

/** `cap · tanh(x / cap)`. Source: Gemma 2, arXiv 2408.00118, section 2. */
export const softCap: Kernels["softCap"] = (out, x, cap) => {
  const output = floats(out);
  const input = floats(x);
  for (let i = 0; i < output.length; i++) output[i] = cap * Math.tanh(input[i] / cap);
};

/** Gradient of `softCap`: tanh′ = 1 − tanh². */
export const softCapBackward: Kernels["softCapBackward"] = (dX, dOut, y, cap) => {
  const output = floats(dX);
  const upstream = floats(dOut);
  const result = floats(y);
  for (let i = 0; i < output.length; i++) output[i] = upstream[i] * (1 - (result[i] / cap) ** 2);
};
