import type { Kernels, TensorView } from "../../../backend/kernels.ts";
import { bfloatsToFloats, roundByBits } from "../../../util/half.ts";
import { floats } from "../arrays.ts";

/** One step of AdamW in place, in PyTorch's order. Source: arXiv 1711.05101, algorithm 2. */
export const adamw: Kernels["adamw"] = (weight, m, v, gradient, options) => {
  const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = options;
  const weights = floats(weight);
  const first = momentsOf(m);
  const second = momentsOf(v);
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
  if (m.dtype === "bf16") roundMoments([first, second], [m, v], step);
};

/** The moments of a view, in float32. */
function momentsOf(view: TensorView): Float32Array {
  return view.dtype === "bf16" ? bfloatsToFloats(view.storage as Uint16Array) : floats(view);
}

/** Rounds moments to bfloat16: up with the probability of what is cut off. */
function roundMoments(
  [first, second]: readonly Float32Array[],
  [m, v]: readonly TensorView[],
  step: number,
): void {
  for (let i = 0; i < first.length; i++) {
    const random = bitsOf(step, i);
    (m.storage as Uint16Array)[i] = roundByBits(first[i], random & 0xffff);
    (v.storage as Uint16Array)[i] = roundByBits(second[i], random >>> 16);
  }
}

/** 32 bits by step and element: the "lowbias32" hash of C. Wellons. */
function bitsOf(step: number, element: number): number {
  let x = Math.imul(element, 0x9e3779b1) + Math.imul(step, 0x85ebca77);
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
