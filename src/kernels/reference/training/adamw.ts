import type { Kernels } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";

/** One step of AdamW in place, in PyTorch's order. Source: arXiv 1711.05101, algorithm 2. */
export const adamw: Kernels["adamw"] = (weight, m, v, gradient, options) => {
  const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = options;
  const weights = floats(weight);
  const first = floats(m);
  const second = floats(v);
  const gradients = floats(gradient);
  const stepSize = learningRate / (1 - beta1 ** step);
  const spread = Math.sqrt(1 - beta2 ** step);
  const kept = 1 - learningRate * weightDecay;
  for (let i = 0; i < weights.length; i++) {
    const g = gradientScale * gradients[i];
    first[i] = beta1 * first[i] + (1 - beta1) * g;
    second[i] = beta2 * second[i] + (1 - beta2) * g * g;
    weights[i] =
      weights[i] * kept - (stepSize * first[i]) / (Math.sqrt(second[i]) / spread + epsilon);
  }
};
