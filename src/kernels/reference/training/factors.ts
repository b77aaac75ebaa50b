import type { Kernels } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";

/** Logistic function. */
export const sigmoid: Kernels["sigmoid"] = (out, x) => {
  const [values, inputs] = [floats(out), floats(x)];
  for (let i = 0; i < values.length; i++) values[i] = 1 / (1 + Math.exp(-inputs[i]));
};

/** Its gradient. */
export const sigmoidBackward: Kernels["sigmoidBackward"] = (dX, dOut, y) => {
  const [gradients, upstream, results] = [floats(dX), floats(dOut), floats(y)];
  for (let i = 0; i < gradients.length; i++) {
    gradients[i] = upstream[i] * results[i] * (1 - results[i]);
  }
};

/** Reciprocal. */
export const reciprocal: Kernels["reciprocal"] = (out, x) => {
  const [values, inputs] = [floats(out), floats(x)];
  for (let i = 0; i < values.length; i++) values[i] = 1 / inputs[i];
};

/** Its gradient. */
export const reciprocalBackward: Kernels["reciprocalBackward"] = (dX, dOut, y) => {
  const [gradients, upstream, results] = [floats(dX), floats(dOut), floats(y)];
  for (let i = 0; i < gradients.length; i++) gradients[i] = -upstream[i] * results[i] ** 2;
};
