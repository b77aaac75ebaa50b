import type { Kernels } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";

/** `max(x, 0)`; NaN stays NaN. */
export const relu: Kernels["relu"] = (out, x) => {
  const output = floats(out);
  const input = floats(x);
  for (let i = 0; i < output.length; i++) output[i] = input[i] <= 0 ? 0 : input[i];
};

/** Gradient of `relu`; 0 at 0. */
export const reluBackward: Kernels["reluBackward"] = (dX, dOut, x) => {
  const output = floats(dX);
  const upstream = floats(dOut);
  const input = floats(x);
  for (let i = 0; i < output.length; i++) output[i] = input[i] > 0 ? upstream[i] : 0;
};
