import type { Kernels } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";

/** One step of signed gradient descent in place, with momentum where there are moments. */
export const signDescent: Kernels["signDescent"] = (value, moments, gradient, options) => {
  const { learningRate, momentum, low, high } = options;
  const values = floats(value);
  const sums = moments && floats(moments);
  const gradients = floats(gradient);
  for (let i = 0; i < values.length; i++) {
    let direction = gradients[i];
    if (sums) {
      sums[i] = momentum * sums[i] + direction;
      direction = sums[i];
    }
    const moved = values[i] - learningRate * Math.sign(direction);
    values[i] = Math.min(Math.max(moved, low), high);
  }
};
