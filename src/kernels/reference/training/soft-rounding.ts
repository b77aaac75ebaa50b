import type { Kernels } from "../../../backend/kernels.ts";
import { floatToBfloatBits } from "../../../util/half.ts";
import { floats } from "../arrays.ts";

/** How far the sigmoid is stretched beyond 0 and 1, on both sides together and below. */
const [stretch, below] = [1.2, -0.1];

const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));

/** `h(v) = clip(1.2·σ(v) − 0.1, 0, 1)`, NaN for NaN. */
function rounding(v: number): number {
  return Math.min(Math.max(stretch * sigmoid(v) + below, 0), 1);
}

/** `h'(v)`, 0 where h is clipped. */
function slope(v: number): number {
  const share = sigmoid(v);
  const h = stretch * share + below;
  return h >= 0 && h <= 1 ? stretch * share * (1 - share) : 0;
}

/** Weights between the values of a grid below and above them. */
export const roundSoftly: Kernels["roundSoftly"] = (out, low, step, v, hard) => {
  const [lows, steps, variables] = [floats(low), floats(step), floats(v)];
  const values = lows.map((value, i) => {
    const h = hard ? Number(variables[i] >= 0) : Math.fround(rounding(variables[i]));
    return value + Math.fround(steps[i] * h);
  });
  if (out.dtype === "f32") floats(out).set(values);
  else (out.storage as Uint16Array).set(Uint16Array.from(values, floatToBfloatBits));
};

/** Gradient of that by the variables. */
export const roundSoftlyBackward: Kernels["roundSoftlyBackward"] = (dV, dOut, step, v) => {
  const [upstream, steps, variables] = [floats(dOut), floats(step), floats(v)];
  const gradients = floats(dV);
  for (let i = 0; i < gradients.length; i++) {
    gradients[i] = upstream[i] * steps[i] * slope(variables[i]);
  }
};

/** Adds the gradient of what pushes roundings to 0 or 1. */
export const addRoundingPenalty: Kernels["addRoundingPenalty"] = (dV, v, weight, power) => {
  const [gradients, variables] = [floats(dV), floats(v)];
  for (let i = 0; i < gradients.length; i++) {
    const side = 2 * rounding(variables[i]) - 1;
    const steepness = power * Math.abs(side) ** (power - 1);
    gradients[i] -= weight * steepness * 2 * Math.sign(side) * slope(variables[i]);
  }
};
